"""The error for a full file system: one for calls and tools that make images."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from imagefactory.lib.errors import BuildFailed, NoSpace
from imagefactory.lib.files.space import free_bytes, is_full, say_full
from imagefactory.lib.sizes import human_size

_NEARLY_NOTHING = 256 << 10


def no_space(path: Path, wanted: int) -> NoSpace:
    """Returns the error: `wanted` bytes did not fit beside `path`."""
    return NoSpace(
        f"no space left for {path.name}, which needs {human_size(wanted)} ({wanted} bytes)",
        where=str(path),
        hint="make room there, or choose a larger file system with the settings imgdir and state_dir",
    )


def _too_large(path: Path, wanted: int) -> BuildFailed:
    return BuildFailed(
        f"{path.name} would be larger than a file can be there: {human_size(wanted)} ({wanted} bytes)",
        where=str(path),
        hint="make the disk smaller, raise the limit of ulimit -f, or build on another file system (imgdir, state_dir)",
    )


@contextmanager
def full_disk(path: Path, wanted: int) -> Iterator[None]:
    """Turn ENOSPC (and an exhausted quota) inside the block into NoSpace for `path`, EFBIG into BuildFailed."""
    try:
        yield
    except OSError as failure:
        if is_full(failure):
            raise no_space(path, wanted) from failure
        if failure.errno == errno.EFBIG:
            raise _too_large(path, wanted) from failure
        raise


def tells_of_full_disk(tail: Iterable[str], path: Path) -> bool:
    """Returns whether a tool that failed did so because the file system of `path` is full.

    Some say so, some only speak of an input/output error: then the file system itself is asked, which blocks.
    """
    return say_full(tail) or free_bytes(path) < _NEARLY_NOTHING
