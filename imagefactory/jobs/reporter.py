"""What a running job's steps report to."""

from __future__ import annotations

from dataclasses import replace

from imagefactory.jobs.ledger import Ledger
from imagefactory.model.report import Report, StageOutcome

#: A program that prints without end shall not fill the log; longer lines are cut.
LINE_LIMIT = 8192


class Reporter:
    """The `Progress` of one job."""

    def __init__(self, ledger: Ledger, id: str) -> None:
        self._ledger = ledger
        self._id = id

    def activity(self, text: str) -> None:
        """What is going on now; also a line of the log."""
        if job := self._ledger.book.find(self._id):
            self._ledger.progress(replace(job, activity=text))
        self.line(text)

    def progress(self, percent: float) -> None:
        """Of the job as a whole."""
        self.reached(int(percent))

    def line(self, text: str) -> None:
        """A line of the log."""
        self._ledger.line(self._id, text[:LINE_LIMIT])

    def stage(self, outcome: StageOutcome) -> None:
        """Told to listeners at once."""
        self._ledger.stage(self._id, outcome)

    def reached(self, percent: int) -> None:
        """Never back: a late word from a helper thread or a second tool changes nothing."""
        job = self._ledger.book.find(self._id)
        if job is not None and percent > job.percent:
            self._ledger.progress(replace(job, percent=min(percent, 100)))

    def between(self, low: int, high: int) -> Report:
        """A part of this job's way."""
        return _Stretch(self, low, high)


class _Stretch:
    """Percent of a part, in percent of the whole."""

    def __init__(self, whole: Reporter, low: int, high: int) -> None:
        self._whole = whole
        self._low = low
        self._width = high - low
        self.activity = whole.activity
        self.line = whole.line
        self.stage = whole.stage

    def progress(self, percent: float) -> None:
        self._whole.reached(self._low + int(self._width * min(max(percent, 0.0), 100.0) / 100))
