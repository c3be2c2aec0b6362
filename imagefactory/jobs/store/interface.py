"""What the job service remembers its jobs with, and how the nodes that share it divide the work.

A job's row is one state machine. It is *free* (queued, held by no node) or *held* by one node; `attempt` grows by one
whenever it gets another holder or begins anew, and what is written under an older attempt is refused:

    create -> held (1)      take: free -> held (+1)      release: held -> free, or held by the releasing node (+1)
    write a final state     reopen: final -> held (+1)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.model.jobs import Job

LEASE = 30.0
"""Seconds for which a node holds its jobs after `take`, `create` or the last `beat`."""


@dataclass(frozen=True, slots=True)
class LogExtent:
    """How much a log has: lines, and bytes of their texts."""

    lines: int = 0
    size: int = 0

    def with_line(self, text: str) -> LogExtent:
        """Returns the extent with one more line."""
        return LogExtent(self.lines + 1, self.size + len(text.encode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class JobNode:
    """A run of the program that has jobs.

    `id` is the token of its journal, whose lock it holds while it lives: a process id would mean another process in
    another container. Queued jobs of a `daemon` wait for the next one when it has ended; those of a command fail.
    """

    id: str
    daemon: bool = True


@dataclass(frozen=True, slots=True)
class Holder:
    """A node with jobs that have not ended; `lease` is the Unix time until which it holds them.

    Nodes of one host judge each other by the journal's lock, those of several hosts by the lease.
    """

    node: JobNode
    lease: float


@dataclass(frozen=True, slots=True)
class TakenJob:
    """A job that this node holds now, under `attempt`."""

    job: Job
    attempt: int


@dataclass(frozen=True, slots=True)
class Beat:
    """What has become of held jobs: `lost` ones have another holder or are forgotten, `cancelled` ones shall end."""

    lost: frozenset[str]
    cancelled: frozenset[str]


@dataclass(frozen=True, slots=True)
class GroupState:
    """The jobs of one request: whether all have an outcome, and whether one is completed."""

    ended: bool
    completed: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Things to be remembered in one step."""

    jobs: Sequence[Job] = ()
    lines: Sequence[LogLine] = ()
    events: Sequence[JobEvent] = ()


@dataclass(frozen=True, slots=True)
class NewJobs:
    """The jobs of one request.

    Args:
        requests: by job id what a retry needs (JSON, without secrets).
        needs: capabilities that a node must have to take them.
    """

    jobs: Sequence[Job]
    requests: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()


class JobStore(Protocol):
    """What is remembered about jobs over restarts, as one node sees it; several nodes may share one store.

    All methods raise NoSpace and Unavailable. One contract suite holds every implementation to this.
    """

    async def load(self) -> tuple[str, list[Job]]:
        """Returns all jobs in order of creation, and the cursor for what is written afterwards.

        What cannot be read any more is put aside and logged.
        """
        ...

    async def changes(self, cursor: str) -> tuple[str, list[Job]]:
        """Returns the jobs that other nodes have written since `cursor`, and the next cursor."""
        ...

    async def create(self, new: NewJobs) -> None:
        """Insert jobs, held by this node under attempt 1; all or nothing."""
        ...

    async def take(self, capabilities: Collection[str], places: int | None) -> list[TakenJob]:
        """Take free jobs, oldest build first, at most `places` builds (None: all).

        All free jobs of a build whose needs are met go to one node, where they share their base.
        """
        ...

    async def beat(self, held: Mapping[str, int]) -> Beat:
        """Renew the lease of the jobs that this node holds, given with their attempts, unless it is long enough."""
        ...

    async def write(self, batch: Batch, held: Mapping[str, int]) -> frozenset[str]:
        """Write what concerns jobs that this node holds under the attempt in `held`, in one step.

        Returns the ids of the other jobs, which are refused: nothing of them is written.
        """
        ...

    async def settle(self, id: str, attempt: int, *, completed: bool) -> GroupState | None:
        """Note how the job is about to end, in one step with looking at the others of its request.

        Exactly one of them, over all nodes, sees `ended` for the first time. None: refused, as by `write`.
        """
        ...

    async def reopen(self, job: Job) -> int:
        """Begin an ended job anew as `job`, held by this node.

        Returns:
            The attempt.

        Raises:
            Conflict: it has not ended, or is forgotten.
        """
        ...

    async def request_cancel(self, id: str) -> bool:
        """Ask the holder, or the next one, to end the job; False if it has ended or is not known."""
        ...

    async def holders(self) -> list[Holder]:
        """Returns the other nodes that hold jobs which have not ended."""
        ...

    async def release(self, node: JobNode) -> list[TakenJob]:
        """Divide what a node that has ended left.

        Queued builds of a daemon become free, unless they shall be cancelled. All others are held by this node now,
        which must end them.

        Returns:
            Those that must be ended.
        """
        ...

    async def request(self, id: str) -> str:
        """Returns what was kept for a retry; empty if nothing was."""
        ...

    async def log(self, id: str, *, after: int, limit: int) -> list[LogLine]:
        """Returns lines with a number above `after`."""
        ...

    async def extent(self, id: str) -> LogExtent:
        """Returns how much the log of a job has; its `lines` are the number of the last one."""
        ...

    async def events(self, *, after: int, id: str | None, limit: int) -> list[JobEvent]:
        """Returns events with an id above `after`, of all jobs or of one."""
        ...

    async def last_event(self) -> int:
        """Returns the highest id of an event; 0 if there is none."""
        ...

    async def reserve_events(self, count: int) -> int:
        """Reserve ids of events for this node: the `count` ids above the returned one are given to no other."""
        ...

    async def forget(self, ids: Sequence[str]) -> None:
        """Remove jobs with their logs and events (retention)."""
        ...

    async def close(self) -> None: ...
