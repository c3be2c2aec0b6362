"""Standard streams whose reader may go away: output is then discarded, and the work goes on."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

GONE = {errno.EPIPE, errno.EIO}
"""Error numbers of a pipe without a reader and of a terminal that was hung up."""


def forgiving_streams() -> None:
    """Replace standard output and error by such streams.

    Closed descriptors are opened on /dev/null, so that no other file gets their numbers.
    """
    for number in (0, 1, 2):
        _open(number)
    sys.stdout = forgiving(1, sys.stdout)
    sys.stderr = forgiving(2, sys.stderr)


def forgiving(number: int, like: TextIO | None) -> TextIO:
    """Returns a text stream that writes to descriptor `number`, with the encoding of `like` (None: it was closed)."""
    if like is None:
        return io.TextIOWrapper(io.BufferedWriter(_Forgiving(number)), encoding="utf-8", errors="backslashreplace")
    like.flush()
    lines = number == 2 or like.isatty()
    buffered = io.BufferedWriter(_Forgiving(number))
    return io.TextIOWrapper(buffered, encoding=like.encoding, errors=like.errors, line_buffering=lines)


class _Forgiving(io.FileIO):
    """A descriptor that is redirected to /dev/null after EPIPE or EIO."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in GONE:
                raise
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, self.fileno())
        os.close(null)
        return super().write(data)


def _open(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
