"""Files that are there whole or not at all, and still there after a power cut. Everything blocks."""

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
    """Have what is in a file, or the names that are in a directory, on the disk (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def start_writing(descriptor: int, start: int, length: int) -> None:
    """Have a part of a file written to the disk soon, without waiting for it (sync_file_range(2)).

    It promises nothing: what fails now fails again in fsync. Without that call in the C library it does nothing.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, start, length, _START)


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write the file in one step, over what is there; nobody sees it with another mode or half of its content.

    Makes the directory. Raises OSError, and leaves nothing behind then.
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
