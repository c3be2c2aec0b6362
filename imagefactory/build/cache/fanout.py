"""One run, several who want to hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imagefactory.model.report import Report, StageOutcome


class Fanout:
    """A `Report` that passes everything on to those who listen at the moment.

    Whoever comes late is told at once what the others know: the stage, the activity, how far it is.
    """

    def __init__(self) -> None:
        self._listeners: list[Report] = []
        self._outcome: StageOutcome | None = None
        self._activity = ""
        self._percent: float | None = None

    def __bool__(self) -> bool:
        return bool(self._listeners)

    @contextmanager
    def heard_by(self, report: Report) -> Iterator[None]:
        """`report` gets everything from now until the block ends."""
        self._catch_up(report)
        self._listeners.append(report)
        try:
            yield
        finally:
            self._listeners = [listener for listener in self._listeners if listener is not report]

    def activity(self, text: str) -> None:
        """See `Report`."""
        self._activity, self._percent = text, None
        for listener in self._listeners:
            listener.activity(text)

    def progress(self, percent: float) -> None:
        """See `Report`."""
        self._percent = percent
        for listener in self._listeners:
            listener.progress(percent)

    def line(self, text: str) -> None:
        """See `Report`."""
        for listener in self._listeners:
            listener.line(text)

    def stage(self, outcome: StageOutcome) -> None:
        """See `Report`."""
        self._outcome = outcome
        for listener in self._listeners:
            listener.stage(outcome)

    def _catch_up(self, report: Report) -> None:
        if self._outcome is not None:
            report.stage(self._outcome)
            report.line(f"{self._outcome.kind} {self._outcome.key[:12]} is being made already: joining in")
        if self._activity:
            report.activity(self._activity)
        if self._percent is not None:
            report.progress(self._percent)
