"""From bytes as they come to lines of text."""

from __future__ import annotations

import codecs
import re

from imagefactory.lib.process.interface import LineReader

_LINE_END = re.compile("\r\n|\r|\n")
LONGEST = 16_384
"""Characters; a longer line is delivered in pieces, so that no child can fill our memory."""


class LineSplitter:
    """Splits output into lines and delivers each when it is complete.

    A carriage return alone ends a line, too (progress bars). Bytes that are no UTF-8 become replacement characters; a
    character may be split between two reads.
    """

    def __init__(self, deliver: LineReader, longest: int = LONGEST) -> None:
        self._deliver = deliver
        self._longest = longest
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._returned = False

    def feed(self, data: bytes) -> None:
        """Add output."""
        self._take(self._decoder.decode(data))

    def close(self) -> None:
        """Deliver what is left: a line without an end."""
        self._take(self._decoder.decode(b"", final=True))
        if self._rest:
            rest, self._rest = self._rest, ""
            self._deliver(rest)

    def _take(self, text: str) -> None:
        if not text:
            return
        if self._returned:  # the line ended with the carriage return already
            text = text.removeprefix("\n")
        self._returned = text.endswith("\r")
        *lines, self._rest = _LINE_END.split(self._rest + text)
        for line in lines:
            self._pieces(line)
        while len(self._rest) > self._longest:
            piece, self._rest = self._rest[: self._longest], self._rest[self._longest :]
            self._deliver(piece)

    def _pieces(self, line: str) -> None:
        for start in range(0, len(line) or 1, self._longest):
            self._deliver(line[start : start + self._longest])


class CappedText:
    """Keeps output as one text, up to a limit of characters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Add output; OverflowError if it is too much."""
        self._keep(self._decoder.decode(data))

    def close(self) -> None:
        """Add what is left of a split character."""
        self._keep(self._decoder.decode(b"", final=True))

    def __str__(self) -> str:
        return "".join(self._parts)

    def _keep(self, part: str) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise OverflowError(f"printed more than {self._limit} characters")
        self._parts.append(part)
