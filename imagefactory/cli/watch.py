"""Progress for people: plain lines for pipes, and what these and the bars of a terminal have in common.

All only listen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TextIO

from imagefactory.jobs.interface import JobEvent
from imagefactory.model.jobs import Job
from imagefactory.model.report import StageOutcome
from imagefactory.model.visible import visible


class Watcher(Protocol):
    """Shows how jobs go on."""

    def start(self, jobs: Iterable[Job]) -> None: ...

    def event(self, event: JobEvent) -> None: ...

    def line(self, job: Job, text: str) -> None:
        """A line of the job's log; its activities are lines, too."""

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
    """One line per news: for pipes, logs and CI. With `full` also each line that the programs print."""

    def __init__(self, out: TextIO, *, full: bool = False) -> None:
        self._out = out
        self._full = full
        self._changes = Changes()

    def start(self, jobs: Iterable[Job]) -> None:
        """Nothing to prepare."""

    def event(self, event: JobEvent) -> None:
        """Say what is new."""
        job = event.job
        stages, activity = self._changes.stages(job), "" if self._full else self._changes.activity(job)
        # An activity may be told late; then what was going on came before the stage that is told at once.
        for text in (activity, *stages) if event.kind == "stage" else (*stages, activity):
            if text:
                self._say(job, text)

    def line(self, job: Job, text: str) -> None:
        """Say it if all is wanted."""
        if self._full:
            self._say(job, visible(text))

    def _say(self, job: Job, text: str) -> None:
        self._out.write(f"{destination(job)}: {text}\n")
        self._out.flush()

    def stop(self) -> None:
        """Nothing to end."""


class Quiet:
    """No progress at all (`--json`)."""

    def start(self, jobs: Iterable[Job]) -> None: ...

    def event(self, event: JobEvent) -> None: ...

    def line(self, job: Job, text: str) -> None: ...

    def stop(self) -> None: ...
