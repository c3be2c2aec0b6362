"""Passes the progress of one run to several jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imagefactory.model.report import PercentRange, Progress, Report, StageOutcome


class Fanout:
    """A `Progress` that passes everything on to its listeners.

    A listener that joins later gets the stage, the activity and the percentage at once.
    """

    def __init__(self) -> None:
        self._listeners: list[Progress] = []
        self._outcome: StageOutcome | None = None
        self._activity = ""
        self._percent = 0

    def __bool__(self) -> bool:
        return bool(self._listeners)

    @contextmanager
    def heard_by(self, report: Progress) -> Iterator[None]:
        """`report` gets everything from now until the block ends."""
        self._catch_up(report)
        self._listeners.append(report)
        try:
            yield
        finally:
            self._listeners = [listener for listener in self._listeners if listener is not report]

    def activity(self, text: str) -> None:
        """See `Report`."""
        self._activity = text
        for listener in self._listeners:
            listener.activity(text)

    def progress(self, percent: float) -> None:
        """Not passed on: what is made for several jobs reports through `between`."""

    def line(self, text: str) -> None:
        """See `Report`."""
        for listener in self._listeners:
            listener.line(text)

    def stage(self, outcome: StageOutcome) -> None:
        """See `Report`."""
        self._outcome = outcome
        for listener in self._listeners:
            listener.stage(outcome)

    def reached(self, percent: int) -> None:
        """See `Progress`."""
        self._percent = max(self._percent, percent)
        for listener in self._listeners:
            listener.reached(percent)

    def between(self, low: int, high: int) -> Report:
        """See `Progress`."""
        return PercentRange(self, low, high)

    def _catch_up(self, report: Progress) -> None:
        if self._outcome is not None:
            report.stage(self._outcome)
            report.line(f"{self._outcome.kind} {self._outcome.key[:12]} is being made already: joining in")
        if self._activity:
            report.activity(self._activity)
        if self._percent:
            report.reached(self._percent)
