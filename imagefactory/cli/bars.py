"""Progress bars on a terminal.

A module of its own, because importing rich takes a tenth of a short run.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from imagefactory.cli.watch import Changes, destination
from imagefactory.jobs.interface import JobEvent
from imagefactory.model.jobs import Job


class ProgressBars:
    """One bar per job with its current activity; lines on stages scroll above."""

    def __init__(self, console: Console) -> None:
        self._changes = Changes()
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.fields[name]:<12}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
        )

    def start(self, jobs: Iterable[Job]) -> None:
        """Draw the bars."""
        self._progress.start()
        for job in jobs:
            self._tasks[job.id] = self._progress.add_task("waiting", name=destination(job), total=100)

    def event(self, event: JobEvent) -> None:
        """Move the bar of the event's job."""
        job = event.job
        if job.id not in self._tasks:
            return
        for text in self._changes.stages(job):
            self._progress.console.print(f"{destination(job)}: {text}", highlight=False, markup=False)
        self._progress.update(self._tasks[job.id], completed=job.percent, description=job.activity)

    def line(self, job: Job, text: str) -> None:
        """Ignored: bars show no output of programs."""

    def stop(self) -> None:
        """Leave the bars as they are."""
        self._progress.stop()
