"""Files with holes: finding what is data, and copying and hashing without reading the rest."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256

BLOCK = 32 << 10
"""Aligned blocks of this size become holes when they are zero: any run of zeros of twice the size has one."""

ZEROS = bytes(BLOCK)
_PIECE = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)


def extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """(offset, length) of all data, in order; the whole file where the file system knows no holes (lseek(2))."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        if start < end:
            yield start, end - start


def digest(fd: int) -> str:
    """SHA-256 (hex) of the whole content; holes are hashed as the zeros they stand for, but not read."""
    size, hashed, at = os.fstat(fd).st_size, sha256(), 0
    for start, length in extents(fd, size):
        hash_zeros(hashed, start - at)
        for offset, piece in _pieces(start, length):
            hashed.update(os.pread(fd, piece, offset))
        at = start + length
    hash_zeros(hashed, size - at)
    return hashed.hexdigest()


_MANY_ZEROS = bytes(_PIECE)


def hash_zeros(hashed: sha256, length: int) -> None:  # type: ignore[valid-type]
    """Feed `length` zeros to a hash."""
    for _, piece in _pieces(0, length):
        hashed.update(_MANY_ZEROS if piece == _PIECE else _MANY_ZEROS[:piece])  # type: ignore[attr-defined]


def reflink(source: int, destination: int) -> bool:
    """Let `destination` share the blocks of `source`; False where the file system cannot."""
    try:
        fcntl.ioctl(destination, _FICLONE, source)
    except OSError:
        return False
    return True


def copy(source: int, destination: int) -> None:
    """Copy the data of one file into another, empty one; what is a hole stays one."""
    size = os.fstat(source).st_size
    for start, length in extents(source, size):
        for offset, piece in _pieces(start, length):
            data = os.pread(source, piece, offset)
            while data:
                wrote = os.pwrite(destination, data, offset)
                data, offset = data[wrote:], offset + wrote  # noqa: PLW2901 - a write may be partial
    os.truncate(destination, size)


def _pieces(start: int, length: int) -> Iterator[tuple[int, int]]:
    for offset in range(start, start + length, _PIECE):
        yield offset, min(_PIECE, start + length - offset)
