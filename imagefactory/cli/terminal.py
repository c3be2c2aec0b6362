"""Where a run of the command writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from imagefactory.cli.watch import ProgressView


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a run writes: results to `out`, progress to `watcher`.

    With `document` the only output is one JSON document.
    """

    out: TextIO
    watcher: ProgressView
    document: bool

    def say(self, text: str) -> None:
        """Write a line for people; nothing with `document`."""
        if not self.document:
            self.out.write(f"{text}\n")
            self.out.flush()

    def result(self, document: str, lines: Sequence[str]) -> None:
        """Write the result of a run, as a document or as lines."""
        self.out.write("".join(f"{line}\n" for line in ([document] if self.document else lines)))
        self.out.flush()
