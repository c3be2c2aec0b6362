"""Progress for people: plain lines for pipes, and what these and the bars of a terminal have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TextIO

from imagefactory.jobs.interface import JobEvent
from imagefactory.model.jobs import Job
from imagefactory.model.report import StageOutcome
from imagefactory.model.visible import visible


class ProgressView(Protocol):
    """Shows how jobs go on."""

    def start(self, jobs: Iterable[Job]) -> None: ...

    def event(self, event: JobEvent) -> None: ...

    def line(self, job: Job, text: str) -> None:
        """A line of the job's log; its activities are lines, too."""

    def stop(self) -> None: ...


def destination(job: Job) -> str:
    """How output names a job: by the provider of a push, by the target of a build."""
    return job.provider or job.target


def stage_text(outcome: StageOutcome) -> str:
    """The line on one stage: HIT or MISS, the key's first digits, and for a miss what has changed."""
    if outcome.hit:
        return f"{outcome.kind} {outcome.key[:12]} HIT"
    why = f" (changed: {', '.join(outcome.changed)})" if outcome.changed else " (nothing cached)"
    return f"{outcome.kind} {outcome.key[:12]} MISS{why}"


class Changes:
    """Remembers which stages and activities of which job were shown: an event carries the whole job."""

    def __init__(self) -> None:
        self._stages: dict[str, dict[str, StageOutcome]] = {}
        self._activity: dict[str, str] = {}

    def stages(self, job: Job) -> list[str]:
        """Returns lines on the stages not shown yet."""
        shown = self._stages.setdefault(job.id, {})
        news = [stage for stage in job.stages if stage.kind not in shown]
        shown.update({stage.kind: stage for stage in news})
        return [stage_text(stage) for stage in news]

    def activity(self, job: Job) -> str:
        """Returns the activity if it has changed, else nothing."""
        if self._activity.get(job.id) == job.activity:
            return ""
        self._activity[job.id] = job.activity
        return job.activity


class PlainProgress:
    """One line per change: for pipes, logs and CI. With `full` also each line that programs print."""

    def __init__(self, out: TextIO, *, full: bool = False) -> None:
        self._out = out
        self._full = full
        self._changes = Changes()

    def start(self, jobs: Iterable[Job]) -> None:
        """Does nothing: lines need no preparation."""

    def event(self, event: JobEvent) -> None:
        """Write what has changed."""
        job = event.job
        stages, activity = self._changes.stages(job), "" if self._full else self._changes.activity(job)
        # Activities may come delayed, stages never: an activity that comes with a stage was going on before it.
        for text in (activity, *stages) if event.kind == "stage" else (*stages, activity):
            if text:
                self._write(job, text)

    def line(self, job: Job, text: str) -> None:
        """Write it with `full`."""
        if self._full:
            self._write(job, visible(text))

    def _write(self, job: Job, text: str) -> None:
        self._out.write(f"{destination(job)}: {text}\n")
        self._out.flush()

    def stop(self) -> None:
        """Does nothing: each line is complete."""


class NoProgress:
    """No progress at all (`--json`)."""

    def start(self, jobs: Iterable[Job]) -> None: ...

    def event(self, event: JobEvent) -> None: ...

    def line(self, job: Job, text: str) -> None: ...

    def stop(self) -> None: ...
