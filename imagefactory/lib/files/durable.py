"""Files that are written whole or not at all, and survive a power cut. Everything blocks."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from uuid import uuid4

_START = 2  # linux/fs.h: SYNC_FILE_RANGE_WRITE
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def synchronise(path: Path) -> None:
    """Write the content of a file, or the names in a directory, to the disk (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def start_writing(descriptor: int, start: int, length: int) -> None:
    """Begin to write a part of a file to the disk, without waiting for it (sync_file_range(2)).

    Errors are not reported here: fsync fails with them, too. Does nothing if the C library lacks the call.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, start, length, _START)


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write the file in one step, over what is there: it is never seen with another mode or half of its content.

    Makes the directory.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    synchronise(path.parent)
