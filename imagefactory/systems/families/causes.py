"""From the last lines of a failed tool to the error that names its cause."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imagefactory.lib.errors import FactoryError


@dataclass(frozen=True, slots=True)
class Cause:
    """A line that gives a cause away; the first group that `pattern` found fills the message's `{0}`."""

    pattern: re.Pattern[str]
    error: type[FactoryError]
    message: str
    hint: str


def explain(causes: Sequence[Cause], lines: Sequence[str]) -> FactoryError | None:
    """Returns the first cause of the table that any line shows; the table's order is the order of weight."""
    for cause in causes:
        for line in lines:
            found = cause.pattern.search(line)
            if found:
                named = next((group for group in found.groups() if group), "unknown")
                return cause.error(cause.message.format(named.rstrip(".")), hint=cause.hint)
    return None


class CauseDetector:
    """The lines of a tool that give a cause away, kept while it speaks: they may be far above the last ones, and which
    weighs most is known at the end."""

    LIMIT = 1000

    def __init__(self, explain: Callable[[Sequence[str]], FactoryError | None]) -> None:
        self._explain = explain
        self._lines: list[str] = []

    def note(self, line: str) -> None:
        """Keep it if it tells anything."""
        if len(self._lines) < self.LIMIT and self._explain((line,)) is not None:
            self._lines.append(line)

    def cause(self) -> FactoryError | None:
        """Returns what all of them together say."""
        return self._explain(self._lines)
