"""The stream-optimised VMDK writer, read back by a small reader of its own."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.systems.disk.vmdk import GRAIN, OVERHEAD, SECTOR, TABLE_ENTRIES, descriptor, grains, header, main

PIECES = st.lists(st.tuples(st.integers(0, 700 * GRAIN), st.binary(min_size=1, max_size=2000)), max_size=6)


class VmdkTests(SynchronousTestCase):
    """What is written can be read."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        self.source = self.directory / "disk.raw"
        self.image = self.directory / "disk.vmdk"
        self.patch(__import__("builtins"), "print", lambda *_, **__: None)

    @settings(max_examples=25, deadline=None)
    @given(PIECES, st.integers(1, 800 * GRAIN // SECTOR))
    def test_the_content_is_what_it_was(self, pieces: list[tuple[int, bytes]], sectors: int) -> None:
        """Whatever is where: over the edges of grains and of tables, at the very end, or nothing at all."""
        size = sectors * SECTOR
        with self.source.open("wb") as file:
            file.truncate(size)
            for at, data in pieces:
                file.seek(at % size)
                file.write(data[: size - at % size])
        self.assertIsNone(main([str(self.source), str(self.image)]))
        self.assertEqual(read(self.image.read_bytes()), content(self.source))

    def test_zeroes_are_left_out_hole_or_not(self) -> None:
        """A grain of written zeroes takes no space."""
        self.source.write_bytes(bytes(4 * GRAIN) + b"x" + bytes(GRAIN - 1))
        main([str(self.source), str(self.image)])
        self.assertEqual(list(read(self.image.read_bytes())), [4])

    def test_the_descriptor_says_what_it_is(self) -> None:
        """Size, name, adapter and hardware version, within its sectors."""
        text = descriptor("disk.vmdk", 4096, "pvscsi", "19").decode()
        self.assertIn('createType="streamOptimized"', text)
        self.assertIn('RW 4096 SPARSE "disk.vmdk"', text)
        self.assertIn('ddb.adapterType = "pvscsi"', text)
        self.assertIn('ddb.virtualHWVersion = "19"', text)
        self.assertLess(len(descriptor("x" * 255, 1 << 40, "lsilogic", "4")), 20 * SECTOR)

    def test_the_header_is_one_sector(self) -> None:
        """With the line ends that show whether the file went through a text transfer."""
        self.assertEqual(len(header(1, 2)), SECTOR)
        self.assertEqual(header(1, 2)[73:77], b"\n \r\n")

    def test_a_grain_is_listed_once(self) -> None:
        """Also when two extents of data share it."""
        with self.source.open("wb") as file:
            file.truncate(GRAIN)
            for at in (0, GRAIN - 4096):
                os.pwrite(file.fileno(), b"x" * 4096, at)
        with self.source.open("rb") as file:
            self.assertEqual(list(grains(file.fileno())), [0])

    def test_what_goes_wrong_is_one_line(self) -> None:
        """For those who run it as a program."""
        answer = main([str(self.directory / "absent"), str(self.image)])
        self.assertIn("No such file or directory", answer or "")


def content(source: Path) -> dict[int, bytes]:
    """The grains of a raw disk that are not all zeroes."""
    data = source.read_bytes()
    parts = {start // GRAIN: data[start : start + GRAIN].ljust(GRAIN, b"\0") for start in range(0, len(data), GRAIN)}
    return {number: part for number, part in parts.items() if any(part)}


def read(image: bytes) -> dict[int, bytes]:
    """All grains, found from the footer through directory and tables, as a reader that can seek does it."""
    assert not any(image[-SECTOR:]), "no end-of-stream marker"
    footer = image[-2 * SECTOR : -SECTOR]
    magic, version, flags, sectors, grain, _, _, entries = struct.unpack_from("<4sIIQQQQI", footer)
    assert (magic, version, flags, grain * SECTOR, entries) == (b"KDMV", 3, 0x30001, GRAIN, TABLE_ENTRIES)
    (directory,) = struct.unpack_from("<Q", footer, 56)
    tables = struct.unpack_from(f"<{-(-sectors * SECTOR // (GRAIN * TABLE_ENTRIES))}I", image, directory * SECTOR)
    found: dict[int, bytes] = {}
    for index, table in enumerate(tables):
        if table:
            for entry, place in enumerate(struct.unpack_from(f"<{TABLE_ENTRIES}I", image, table * SECTOR)):
                if place:
                    assert place >= OVERHEAD
                    first, length = struct.unpack_from("<QI", image, place * SECTOR)
                    number = index * TABLE_ENTRIES + entry
                    assert first == number * GRAIN // SECTOR
                    found[number] = zlib.decompress(image[place * SECTOR + 12 : place * SECTOR + 12 + length])
    return found
