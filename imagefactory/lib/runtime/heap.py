"""How memory is kept: by the C library's allocator (mallopt(3)), and by Python's garbage collector."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h: M_TRIM_THRESHOLD and so on

LARGEST, ALL = 4 << 20, 16 << 20
"""Bytes of one piece of a body, and of all of them that wait somewhere."""
HEAPS = 1
"""Heaps: else each thread would keep so much for itself."""

Mallopt = Callable[[int, int], int]
_mallopt: Mallopt | None = getattr(ctypes.CDLL(None), "mallopt", None)


def keep_pieces(mallopt: Mallopt | None = _mallopt) -> None:
    """Let memory for pieces of bodies be used again, and not be given back to the kernel between two of them.

    Else each piece costs a page fault for each 4 KiB, which for a large body is half of what receiving it takes. A C
    library without the call (musl) goes on as it likes.
    """
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGEST)
        mallopt(_TRIM_THRESHOLD, ALL)
        mallopt(_ARENA_MAX, HEAPS)


def freeze_objects() -> None:
    """Take all objects that there are out of later collections; for the end of a daemon's start.

    Modules, classes and remembered jobs stay until the process ends. To look through them takes a full collection about
    a tenth of a second, in which the reactor answers nothing.
    """
    gc.collect()
    gc.freeze()
