"""Which parts of a file are data and which are holes, and copies that never read a hole.

Everything here blocks and is run in a thread. The long ones call `watch` with the bytes done so far of the whole;
whatever it raises ends the work.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}

Watch = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


def unwatched(done: int, total: int) -> None:
    """A `Watch` that does nothing."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes: `data`, or else a hole (which reads as zeroes)."""

    start: int
    length: int
    data: bool


def extents(descriptor: int) -> Iterator[Extent]:
    """Yields all of the file, in order, without gaps (lseek(2): SEEK_DATA, SEEK_HOLE).

    A file system without holes reports one extent of data.
    """
    size = os.fstat(descriptor).st_size
    at = 0
    while at < size:
        start = _next_data(descriptor, at, size)
        if start > at:
            yield Extent(at, start - at, data=False)
        if start < size:
            end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
            yield Extent(start, end - start, data=True)
            start = end
        at = start


def data_of(descriptor: int) -> list[tuple[int, int]]:
    """Returns (start, length) of all that is data, in order."""
    return [(extent.start, extent.length) for extent in extents(descriptor) if extent.data]


def data_size(path: Path) -> int:
    """Returns how many bytes of the file are data: the true amount of work for a copy or an upload."""
    with path.open("rb") as file:
        return sum(length for _, length in data_of(file.fileno()))


def copy_data(source: int, destination: int, watch: Watch = unwatched) -> None:
    """Copy a file into an empty one; holes stay holes."""
    os.truncate(destination, os.fstat(source).st_size)
    parts = data_of(source)
    done, total = 0, sum(length for _, length in parts)
    for part in parts:
        for start, length in _chunks(*part):
            _copy_range(source, destination, start, length)
            done += length
            watch(done, total)


def reflink(source: int, destination: int) -> bool:
    """Let an empty file share the blocks of another; False where the file system cannot (ioctl_ficlone(2))."""
    try:
        fcntl.ioctl(destination, _FICLONE, source)
    except OSError as failure:
        if failure.errno not in _NO_REFLINK:
            raise
        return False
    return True


def _next_data(descriptor: int, at: int, size: int) -> int:
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError as failure:
        if failure.errno == errno.ENXIO:  # only a hole follows
            return size
        raise


def _chunks(start: int, length: int) -> Iterator[tuple[int, int]]:
    end = start + length
    return ((at, min(CHUNK, end - at)) for at in range(start, end, CHUNK))


def read_exactly(descriptor: int, start: int, length: int) -> bytes:
    """Returns exactly these bytes; OSError if the file ends before."""
    data = os.pread(descriptor, length, start)
    while len(data) < length:
        more = os.pread(descriptor, length - len(data), start + len(data))
        if not more:
            raise OSError(errno.EIO, "the file became shorter while it was read")
        data += more
    return data


def _copy_range(old: int, new: int, start: int, length: int) -> None:
    """Copy in the kernel where it can (copy_file_range(2)), else by reading and writing."""
    end = start + length
    with suppress(OSError):
        while start < end and (copied := os.copy_file_range(old, new, end - start, start, start)):
            start += copied
    while start < end:
        start += os.pwrite(new, read_exactly(old, start, end - start), start)
