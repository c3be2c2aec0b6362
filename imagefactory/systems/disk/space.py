"""When a file system is full: one clear error, whoever ran into it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagefactory.lib.errors import BuildFailed, NoSpace
from imagefactory.systems.disk.layout import human

_FULL = {errno.ENOSPC, errno.EDQUOT}
_WORDS = ("no space left on device", "disk quota exceeded", "disk full")
_NEARLY_NOTHING = 256 << 10


def free_bytes(path: Path) -> int:
    """What may still be written to the file system of `path`, which need not exist itself."""
    state = os.statvfs(path if path.exists() else path.parent)
    return state.f_bavail * state.f_frsize


def no_space(path: Path, wanted: int) -> NoSpace:
    """The error: `wanted` bytes did not fit beside `path`."""
    return NoSpace(
        f"no space left for {path.name}, which needs {human(wanted)} ({wanted} bytes)",
        where=str(path),
        hint="make room there, or choose a larger file system with the settings imgdir and state_dir",
    )


def _too_large(path: Path, wanted: int) -> BuildFailed:
    return BuildFailed(
        f"{path.name} would be larger than a file can be there: {human(wanted)} ({wanted} bytes)",
        where=str(path),
        hint="make the disk smaller, raise the limit of ulimit -f, or build on another file system (imgdir, state_dir)",
    )


@contextmanager
def full_disk(path: Path, wanted: int) -> Iterator[None]:
    """Turn ENOSPC (and an exhausted quota) inside the block into NoSpace for `path`, EFBIG into BuildFailed."""
    try:
        yield
    except OSError as failure:
        if failure.errno in _FULL:
            raise no_space(path, wanted) from failure
        if failure.errno == errno.EFBIG:
            raise _too_large(path, wanted) from failure
        raise


def tells_of_full_disk(tail: Iterable[str], path: Path) -> bool:
    """Whether a tool that failed did so because the file system of `path` is full.

    Some say so, some only speak of an input/output error: then the file system itself is asked.
    """
    said = any(word in line.lower() for line in tail for word in _WORDS)
    return said or free_bytes(path) < _NEARLY_NOTHING
