"""Progress for people: bars on a terminal, plain lines elsewhere.

Both only listen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from imagefactory.jobs.interface import JobEvent
from imagefactory.model.jobs import Job
from imagefactory.model.report import StageOutcome


class Watcher(Protocol):
    """Shows how jobs go on."""

    def start(self, jobs: Iterable[Job]) -> None: ...

    def event(self, event: JobEvent) -> None: ...

    def stop(self) -> None: ...


def destination(job: Job) -> str:
    """What people call the job: the provider of a push, the target of a build."""
    return job.provider or job.target


def stage_text(outcome: StageOutcome) -> str:
    """A line on one stage: HIT or MISS, the key's first digits, and for a miss what differs from the nearest cached
    entry."""
    if outcome.hit:
        return f"{outcome.kind} {outcome.key[:12]} HIT"
    why = f" (changed: {', '.join(outcome.changed)})" if outcome.changed else " (nothing cached)"
    return f"{outcome.kind} {outcome.key[:12]} MISS{why}"


class Changes:
    """Which stages and activities of which job were told already; an event carries the whole job, people want the
    news."""

    def __init__(self) -> None:
        self._stages: dict[str, dict[str, StageOutcome]] = {}
        self._activity: dict[str, str] = {}

    def stages(self, job: Job) -> list[str]:
        """Lines for stages not told yet."""
        told = self._stages.setdefault(job.id, {})
        news = [stage for stage in job.stages if stage.kind not in told]
        told.update({stage.kind: stage for stage in news})
        return [stage_text(stage) for stage in news]

    def activity(self, job: Job) -> str:
        """The activity, if it is another one than before, else nothing."""
        if self._activity.get(job.id) == job.activity:
            return ""
        self._activity[job.id] = job.activity
        return job.activity


class Lines:
    """One line per news: for pipes, logs and CI."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._changes = Changes()

    def start(self, jobs: Iterable[Job]) -> None:
        """Nothing to prepare."""

    def event(self, event: JobEvent) -> None:
        """Say what is new."""
        job = event.job
        for text in (*self._changes.stages(job), self._changes.activity(job)):
            if text:
                self._out.write(f"{destination(job)}: {text}\n")
                self._out.flush()

    def stop(self) -> None:
        """Nothing to end."""


class Bars:
    """A bar per job with its current activity; stage lines scroll above."""

    def __init__(self, console: Console) -> None:
        self._changes = Changes()
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.fields[name]:<12}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
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

    def stop(self) -> None:
        """Leave the bars as they are."""
        self._progress.stop()


class Quiet:
    """No progress at all (`--json`)."""

    def start(self, jobs: Iterable[Job]) -> None: ...

    def event(self, event: JobEvent) -> None: ...

    def stop(self) -> None: ...
