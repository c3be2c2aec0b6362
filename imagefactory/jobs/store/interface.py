"""What the job service remembers its jobs with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.model.jobs import Job


@dataclass(frozen=True, slots=True)
class LogExtent:
    """How much a log has: lines, and bytes of their texts."""

    lines: int = 0
    size: int = 0

    def with_line(self, text: str) -> LogExtent:
        """One more."""
        return LogExtent(self.lines + 1, self.size + len(text.encode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that runs a job; `started` (clock ticks since boot) tells a process from a later one of its pid.

    Queued jobs of a `daemon` wait for the next one when it is gone; those of a command end with it.
    """

    pid: int
    started: int
    daemon: bool = True


@dataclass(frozen=True, slots=True)
class Remembered:
    """A job as the store has it, with the process that last wrote it."""

    job: Job
    owner: Owner


@dataclass(frozen=True, slots=True)
class Batch:
    """Things to be remembered in one step.

    `requests` holds, by job id, what a retry needs (JSON, without secrets); a job that is not in it keeps what it has.
    """

    jobs: Sequence[Job] = ()
    requests: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[LogLine] = ()
    events: Sequence[JobEvent] = ()


class JobStore(Protocol):
    """What is remembered about jobs over restarts; several processes may share one.

    One contract suite holds every implementation to this.
    """

    async def load(self) -> list[Remembered]:
        """All jobs, in order of creation; what cannot be read any more is put aside and logged."""
        ...

    async def others(self, after: int) -> tuple[int, list[Remembered]]:
        """What other processes have written since revision `after` (0: ever), and the revision reached."""
        ...

    async def write(self, batch: Batch) -> None:
        """Insert or replace, all or nothing; the jobs are this process's from now on.

        Raises NoSpace, Unavailable.
        """
        ...

    async def claim(self, id: str, owner: Owner) -> Job | None:
        """Take a job over from `owner`, who is gone; the answer is the last that `owner` wrote of it.

        None if it is not `owner`'s (any more).
        """
        ...

    async def request(self, id: str) -> str:
        """What was kept for a retry; empty if nothing was."""
        ...

    async def log(self, id: str, *, after: int, limit: int) -> list[LogLine]: ...

    async def extent(self, id: str) -> LogExtent:
        """How much the log of a job has; its `lines` are the number of the last one."""
        ...

    async def events(self, *, after: int, id: str | None, limit: int) -> list[JobEvent]: ...

    async def last_event(self) -> int: ...

    async def reserve_events(self, count: int) -> int:
        """Set ids of events aside for this process: `count` above the answer, which nobody was given or will be."""
        ...

    async def forget(self, ids: Sequence[str]) -> None:
        """Remove jobs with their logs and events (retention)."""
        ...

    async def close(self) -> None: ...
