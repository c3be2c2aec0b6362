"""Sizes as people write them, in templates and in settings."""

from __future__ import annotations

import re

LARGEST = 1 << 62
UNITS = "a number with one of the units B, K to Y, KiB to YiB (powers of 1024), or KB to YB (powers of 1000)"

_SIZE = re.compile(r"(\d{1,40})\s*(b|([kmgtpezy])(i?b)?)?", re.IGNORECASE | re.ASCII)
_PREFIXES = "kmgtpezy"


def parse_size(text: str, *, bare: int = 1) -> int:
    """Bytes; `bare` is what a number without a unit counts.

    A single letter is a power of 1024 (`20G` is 20 GiB), as `iB` is; `KB`, `MB`, ... are powers of 1000. Letters may be
    of either case. Raises ValueError with what is allowed.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"is not a size: write {UNITS}")
    number, unit, prefix, suffix = match.groups()
    size = int(number) * (_factor(prefix, suffix) if prefix else 1 if unit else bare)
    if size > LARGEST:
        raise ValueError("is larger than any disk: at most 4 EiB")
    return size


def _factor(prefix: str, suffix: str | None) -> int:
    base = 1000 if (suffix or "").lower() == "b" else 1024
    return int(base ** (_PREFIXES.index(prefix.lower()) + 1))


def format_size(size: int) -> str:
    """Returns the shortest exact form that `parse_size` reads back: `20G`, `1536M`, `1000`."""
    for prefix in reversed(_PREFIXES):
        factor = _factor(prefix, None)
        if size and size % factor == 0:
            return f"{size // factor}{prefix.upper()}"
    return str(size)
