"""Sizes for people."""

from __future__ import annotations

import math

_MIB, _GIB = 1 << 20, 1 << 30


def human_size(size: int) -> str:
    """Returns bytes as MiB or GiB; never rounded down, so that "at least" stays true."""
    if size >= 10 * _GIB:
        return f"{math.ceil(size / _GIB * 10) / 10:g} GiB"
    return f"{math.ceil(size / _MIB)} MiB"
