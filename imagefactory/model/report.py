"""How a step tells what it does: progress is data.

Steps get a `Report` and nothing else; who listens (log, REST, events, terminal) is not their business.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """One stage of a plan or of a run: `kind` is base, customise or adapt; `key` its hex digest; `hit` whether the
    cache had it.

    For a miss, `changed` names the inputs that differ from the nearest cached entry of this kind (empty: none is
    cached).
    """

    kind: str
    key: str
    hit: bool
    changed: tuple[str, ...] = ()
    seconds: float | None = None


class Report(Protocol):
    """Where a step reports to.

    All methods return at once and never fail.
    """

    def activity(self, text: str) -> None:
        """What is going on now, in a few words for people ("installing packages")."""

    def progress(self, percent: float) -> None:
        """How far the current activity is, 0 to 100."""

    def line(self, text: str) -> None:
        """A line of output for the job's log, without line end."""

    def stage(self, outcome: StageOutcome) -> None:
        """A stage was answered from the cache, or has to be made."""


class Progress(Report, Protocol):
    """A job's report, which also knows the milestones of the whole job."""

    def reached(self, percent: int) -> None:
        """The job as a whole is that far; it never goes back."""

    def between(self, low: int, high: int) -> Report:
        """Returns a report whose 0 to 100 are the job's `low` to `high`."""
        ...


class PercentRange:
    """A part of the way: 0 to 100 here are `low` to `high` of the whole."""

    def __init__(self, whole: Progress, low: int, high: int) -> None:
        self._whole = whole
        self._low = low
        self._width = high - low
        self.activity = whole.activity
        self.line = whole.line
        self.stage = whole.stage

    def progress(self, percent: float) -> None:
        """How far this part is."""
        self._whole.reached(self._low + int(self._width * min(max(percent, 0.0), 100.0) / 100))


class Silence:
    """A `Report` without listeners."""

    def activity(self, text: str) -> None:
        pass

    def progress(self, percent: float) -> None:
        pass

    def line(self, text: str) -> None:
        pass

    def stage(self, outcome: StageOutcome) -> None:
        pass


_current: ContextVar[Report | None] = ContextVar("report", default=None)


def current_report() -> Report | None:
    """Returns the report of the job on whose behalf this runs; None outside of jobs.

    For what is shared by all jobs and has no step of its own (a client that waits for its server). Steps use the report
    that they are given.
    """
    return _current.get()


def report_to(report: Report) -> None:
    """Make it the current report of the coroutine that calls, and of all that it awaits or starts.

    A coroutine that Twisted drives has a context of its own, so this ends with it.
    """
    _current.set(report)
