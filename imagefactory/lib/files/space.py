"""Full file systems: how they show, and what is free."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

_ERRORS = {errno.ENOSPC, errno.EDQUOT}
_WORDS = ("no space left on device", "disk quota exceeded", "disk full")


def is_full(error: OSError) -> bool:
    """Whether a call failed because a file system, or the quota of the user, is full."""
    return error.errno in _ERRORS


def say_full(lines: Iterable[str]) -> bool:
    """Whether a tool says so, in English."""
    return any(word in line.lower() for line in lines for word in _WORDS)


def free_bytes(path: Path) -> int:
    """Returns what may still be written to the file system of `path`, which need not exist itself; blocks."""
    state = os.statvfs(path if path.exists() else path.parent)
    return state.f_bavail * state.f_frsize
