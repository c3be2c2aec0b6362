"""Stream-optimised VMDK, written on all processors.

qemu-img writes this format too, but compresses with one thread and puts the tables in front of the grains; here the
file is laid out as VMware's own tools do it. The format is described in VMware's "Virtual Disk Format 5.0"
("Stream-Optimized Compressed Sparse Extents"). This module is run as a program of its own, so that neither the
compression nor its memory are in the process that serves others:

    python -m imagefactory.systems.disk.vmdk [--adapter TYPE] [--hardware VERSION] [--name NAME] SOURCE DESTINATION
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedWriter
from pathlib import Path

from isal import isal_zlib

from imagefactory.lib.files.holes import extents

SECTOR = 512
GRAIN = 128 * SECTOR
TABLE_ENTRIES = 512  # grains per grain table
LEVEL = 2  # of ISA-L: an eighth of the time of zlib's level 2, for 4 % more bytes
OVERHEAD = 128  # sectors before the first grain
DESCRIPTOR_SECTORS = 20
_WAITING = 64  # grains being compressed at once

_HEADER = struct.Struct("<4sIIQQQQIQQQ?4sH433x")
_VERSION = 3
_FLAGS = 0x30001  # valid new-line test, compressed grains, markers
_AT_END = 0xFFFFFFFFFFFFFFFF
_MARKER = struct.Struct("<QII496x")  # sectors that follow, 0, kind
_GRAIN_MARKER = struct.Struct("<QI")  # first sector of the disk, bytes that follow
_TABLE, _DIRECTORY, _FOOTER = 1, 2, 3

_DESCRIPTOR = """\
# Disk DescriptorFile
version=1
CID={content:08x}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW {sectors} SPARSE "{name}"

# The Disk Data Base
#DDB

ddb.adapterType = "{adapter}"
ddb.geometry.cylinders = "{cylinders}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.virtualHWVersion = "{hardware}"
"""


def header(sectors: int, directory: int) -> bytes:
    """Returns the first sector, and (with the place of the grain directory) the footer."""
    ends = b"\n \r\n"
    table = (1, DESCRIPTOR_SECTORS, TABLE_ENTRIES, 0, directory, OVERHEAD)
    return _HEADER.pack(b"KDMV", _VERSION, _FLAGS, sectors, GRAIN // SECTOR, *table, False, ends, 1)


def descriptor(name: str, sectors: int, adapter: str, hardware: str) -> bytes:
    """Returns the text that describes the disk."""
    content = zlib.crc32(f"{name}/{sectors}".encode()) & 0xFFFFFFFE
    cylinders = max(1, min(65535, sectors // (255 * 63)))
    text = _DESCRIPTOR.format(
        content=content, sectors=sectors, name=name, adapter=adapter, hardware=hardware, cylinders=cylinders
    )
    return text.encode()


def grains(descriptor: int) -> Iterator[int]:
    """The numbers of all grains that have data, in order."""
    last = -1
    for extent in extents(descriptor):
        if extent.data:
            first = max(last + 1, extent.start // GRAIN)
            last = (extent.start + extent.length - 1) // GRAIN
            yield from range(first, last + 1)


class _Writer:
    """The file from its first byte to its last; nothing is ever written twice."""

    def __init__(self, file: BufferedWriter, sectors: int) -> None:
        self._file = file
        self._sectors = sectors
        count = -(-sectors * SECTOR // GRAIN)
        self._directory = [0] * -(-count // TABLE_ENTRIES)
        self._table = [0] * TABLE_ENTRIES
        self._current = 0

    def begin(self, text: bytes) -> None:
        self._file.write(header(self._sectors, _AT_END))
        self._file.write(text.ljust((OVERHEAD - 1) * SECTOR, b"\0"))

    def grain(self, number: int, data: bytes) -> None:
        table, entry = divmod(number, TABLE_ENTRIES)
        if table != self._current:
            self._end_table()
            self._current = table
        self._table[entry] = self._file.tell() // SECTOR
        self._padded(_GRAIN_MARKER.pack(number * GRAIN // SECTOR, len(data)) + data)

    def end(self) -> None:
        self._end_table()
        place = self._marked(_DIRECTORY, struct.pack(f"<{len(self._directory)}I", *self._directory))
        self._marked(_FOOTER, header(self._sectors, place))
        self._file.write(bytes(SECTOR))  # the end-of-stream marker is all zeroes

    def _end_table(self) -> None:
        if any(self._table):
            self._directory[self._current] = self._marked(_TABLE, struct.pack(f"<{TABLE_ENTRIES}I", *self._table))
            self._table = [0] * TABLE_ENTRIES

    def _marked(self, kind: int, data: bytes) -> int:
        """Write metadata behind its marker; returns the sector where it is."""
        self._file.write(_MARKER.pack(-(-len(data) // SECTOR), 0, kind))
        place = self._file.tell() // SECTOR
        self._padded(data)
        return place

    def _padded(self, data: bytes) -> None:
        self._file.write(data + bytes(-len(data) % SECTOR))


def compressed(descriptor: int, number: int) -> bytes | None:
    """Returns a grain, deflated; None if it is all zeroes. The last one of a disk is filled up."""
    data = os.pread(descriptor, GRAIN, number * GRAIN).ljust(GRAIN, b"\0")
    return isal_zlib.compress(data, LEVEL) if data.strip(b"\0") else None


def write(source: Path, destination: Path, text: Callable[[int], bytes]) -> None:
    """Write `destination`, telling the progress on stdout as qemu-img does.

    Zeroes, hole or not, are left out. `text` makes the descriptor for so many sectors.
    """
    with source.open("rb", buffering=0) as disk, destination.open("wb") as file:
        sectors = -(-os.fstat(disk.fileno()).st_size // SECTOR)
        writer = _Writer(file, sectors)
        writer.begin(text(sectors))
        numbers = list(grains(disk.fileno()))
        for done, (number, data) in enumerate(_in_order(disk.fileno(), numbers)):
            if data is not None:
                writer.grain(number, data)
            if done * 100 // len(numbers) != (done - 1) * 100 // len(numbers):
                print(f"({done * 100 / len(numbers):.2f}/100%)", flush=True)
        writer.end()


def _in_order(disk: int, numbers: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
    """Compress on all processors, a few grains ahead of the reader."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: deque[tuple[int, Future[bytes | None]]] = deque()
        for number in numbers:
            waiting.append((number, pool.submit(compressed, disk, number)))
            if len(waiting) == _WAITING:
                yield _settled(*waiting.popleft())
        yield from (_settled(*one) for one in waiting)


def _settled(number: int, future: Future[bytes | None]) -> tuple[int, bytes | None]:
    return number, future.result()


def main(argv: Sequence[str]) -> str | None:
    """Run the program; returns what went wrong, in one line."""
    parser = argparse.ArgumentParser(prog="vmdk")
    parser.add_argument("--adapter", default="lsilogic")
    parser.add_argument("--hardware", default="4")
    parser.add_argument("--name", help="what the disk is called in its descriptor")
    parser.add_argument("source", type=Path)
    parser.add_argument("destination", type=Path)
    options = parser.parse_args(argv)
    try:
        write(
            options.source,
            options.destination,
            lambda sectors: descriptor(
                options.name or options.destination.name, sectors, options.adapter, options.hardware
            ),
        )
    except OSError as failure:
        return f"vmdk: {failure}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
