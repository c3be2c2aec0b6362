"""What a running job's steps report to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from imagefactory.jobs.state.job_log import JobLog
from imagefactory.model.report import PercentRange, Report, StageOutcome

#: A program that prints without end shall not fill the log; longer lines are cut.
LINE_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much of what tools print is kept of a job, however often it is retried: lines, bytes."""

    lines: int = 100_000
    size: int = 16 << 20


class Reporter:
    """The `Progress` of one job.

    When its log is full a last line says so; why the job failed is written all the same, by the runner.
    """

    def __init__(self, job_log: JobLog, id: str, bounds: LogBounds = LogBounds()) -> None:
        self._job_log = job_log
        self._id = id
        self._bounds = bounds
        self._full = False

    def activity(self, text: str) -> None:
        """What is going on now; also a line of the log."""
        if job := self._job_log.index.find(self._id):
            self._job_log.progress(replace(job, activity=text))
        self.line(text)

    def progress(self, percent: float) -> None:
        """Show the percentage of the job as a whole."""
        self.reached(int(percent))

    def line(self, text: str) -> None:
        """Append a line to the log."""
        if self._full:
            return
        text = text[:LINE_LIMIT]
        extent = self._job_log.extent(self._id).with_line(text)
        self._full = extent.lines > self._bounds.lines or extent.size > self._bounds.size
        self._job_log.line(self._id, self._full_note() if self._full else text)

    def _full_note(self) -> str:
        bounds = f"{self._bounds.lines} lines and {self._bounds.size} bytes"
        return f"[the log is cut here: it may have {bounds}, which log_lines and log_limit set]"

    def stage(self, outcome: StageOutcome) -> None:
        """Publish it at once."""
        self._job_log.stage(self._id, outcome)

    def reached(self, percent: int) -> None:
        """Raise the percentage to `percent`; a late report of a lower one changes nothing."""
        job = self._job_log.index.find(self._id)
        if job is not None and percent > job.percent:
            self._job_log.progress(replace(job, percent=min(percent, 100)))

    def between(self, low: int, high: int) -> Report:
        """Returns a report whose 0 to 100 per cent are `low` to `high` of this job."""
        return PercentRange(self, low, high)
