"""A job store in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store.interface import (
    LEASE,
    Batch,
    Beat,
    GroupState,
    Holder,
    JobNode,
    LogExtent,
    NewJobs,
    TakenJob,
)
from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.model.jobs import Completed, Job, Operation, Queued, Running, is_final

#: The node of this process, as the fakes see it.
ME = JobNode("me")


def job(id: str = "00000000-0000-4000-8000-00000000000a", created: float = 5.0, build: str = "build") -> Job:
    """Returns a build job that runs."""
    return Job(id, Operation.BUILD, "mock", "image", build, created, state=Running("BUILDING"))


@dataclass(slots=True)
class _Row:
    job: Job
    request: str
    group: str
    needs: frozenset[str]
    node: JobNode | None
    lease: float
    revision: int
    attempt: int = 1
    cancel: bool = False
    completed: bool | None = None


@dataclass(slots=True)
class _Content:
    """What all nodes share."""

    rows: dict[str, _Row] = field(default_factory=dict)
    lines: dict[tuple[str, int], LogLine] = field(default_factory=dict)
    events: dict[tuple[int, str], JobEvent] = field(default_factory=dict)
    revision: int = 0
    reserved: int = 0


class MemoryJobStore:
    """A `JobStore` that forgets with the process; `at` returns another node's view of the same store.

    While `failure` is set, that is raised by all that writes.
    """

    def __init__(
        self, node: JobNode = ME, now: Callable[[], float] = lambda: 0.0, shared: MemoryJobStore | None = None
    ) -> None:
        self._node = node
        self._now = now
        self._content: _Content = shared._content if shared else _Content()
        self._rows = self._content.rows
        self.failure: FactoryError | None = None

    def at(self, node: JobNode) -> MemoryJobStore:
        """Returns the same store, opened by another node."""
        return MemoryJobStore(node, self._now, self)

    async def load(self) -> tuple[str, list[Job]]:
        return str(self._content.revision), [row.job for row in self._rows.values()]

    async def changes(self, cursor: str) -> tuple[str, list[Job]]:
        rows = [row for row in self._rows.values() if row.revision > int(cursor or "-1")]
        return str(self._content.revision), [row.job for row in rows if row.node != self._node]

    async def create(self, new: NewJobs) -> None:
        self._writing()
        revision = self._next_revision()
        for job in new.jobs:
            row = _Row(
                job,
                new.requests.get(job.id, ""),
                new.jobs[0].id,
                new.needs,
                self._node,
                self._lease(),
                revision,
            )
            self._rows[job.id] = row
            self._change(row, job)

    async def take(self, capabilities: Collection[str], places: int | None) -> list[TakenJob]:
        free = [row for row in self._rows.values() if row.node is None and row.needs <= set(capabilities)]
        builds = set(islice(dict.fromkeys(row.job.build_id for row in free), places))
        return self._hold(row for row in free if row.job.build_id in builds)

    async def beat(self, held: Mapping[str, int]) -> Beat:
        mine = [id for id in held if self._holds(id, held)]
        for id in mine:
            self._rows[id].lease = self._lease()
        asked = {id for id in mine if self._rows[id].cancel and not is_final(self._rows[id].job.state)}
        return Beat(frozenset(held.keys() - mine), frozenset(asked))

    async def write(self, batch: Batch, held: Mapping[str, int]) -> frozenset[str]:
        self._writing()
        ids = {job.id for job in batch.jobs} | {line.job for line in batch.lines}
        ids |= {event.job.id for event in batch.events}
        mine = {id for id in ids if self._holds(id, held)}
        for job in batch.jobs:
            if job.id in mine:
                self._change(self._rows[job.id], job)
        self._content.lines.update({(line.job, line.number): line for line in batch.lines if line.job in mine})
        events = {(event.id, event.job.id): event for event in batch.events if event.job.id in mine}
        self._content.events.update(events)
        return frozenset(ids - mine)

    async def settle(self, id: str, attempt: int, *, completed: bool) -> GroupState | None:
        self._writing()
        if not self._holds(id, {id: attempt}):
            return None
        first = self._rows[id].completed is None
        self._rows[id].completed = completed
        group = [row.completed for row in self._rows.values() if row.group == self._rows[id].group]
        return GroupState(first and None not in group, True in group)

    async def reopen(self, job: Job) -> int:
        self._writing()
        row = self._rows.get(job.id)
        if row is None or not is_final(row.job.state):
            raise Conflict(f"job {job.id} runs again already")
        self._hold([row])
        row.cancel, row.completed = False, None
        self._change(row, job)
        return row.attempt

    async def request_cancel(self, id: str) -> bool:
        row = self._rows.get(id)
        if row is None or is_final(row.job.state):
            return False
        row.cancel = True
        return True

    async def holders(self) -> list[Holder]:
        leases: dict[JobNode, float] = {}
        for row in self._rows.values():
            if row.node not in {None, self._node} and row.node is not None and not is_final(row.job.state):
                leases[row.node] = max(row.lease, leases.get(row.node, 0.0))
        return [Holder(node, lease) for node, lease in leases.items()]

    async def release(self, node: JobNode) -> list[TakenJob]:
        left = [row for row in self._rows.values() if row.node == node and not is_final(row.job.state)]
        waiting = [row for row in left if node.daemon and _can_wait(row)]
        for row in waiting:
            row.node, row.lease = None, 0.0
        return self._hold(row for row in left if row not in waiting)

    async def request(self, id: str) -> str:
        return self._rows[id].request if id in self._rows else ""

    async def log(self, id: str, *, after: int, limit: int) -> list[LogLine]:
        lines = sorted(self._content.lines.items())
        return [line for key, line in lines if key[0] == id and key[1] > after][:limit]

    async def extent(self, id: str) -> LogExtent:
        lines = [line for (job, _), line in self._content.lines.items() if job == id]
        size = sum(len(line.text.encode()) for line in lines)
        return LogExtent(max((line.number for line in lines), default=0), size)

    async def events(self, *, after: int, id: str | None, limit: int) -> list[JobEvent]:
        events = sorted(self._content.events.items())
        return [event for key, event in events if key[0] > after and id in {None, key[1]}][:limit]

    async def last_event(self) -> int:
        return max((id for id, _ in self._content.events), default=0)

    async def reserve_events(self, count: int) -> int:
        self._writing()
        first = max(self._content.reserved, await self.last_event())
        self._content.reserved = first + count
        return first

    async def forget(self, ids: Sequence[str]) -> None:
        for id in ids:
            self._rows.pop(id, None)
        for line in [key for key in self._content.lines if key[0] in ids]:
            del self._content.lines[line]
        for event in [key for key in self._content.events if key[1] in ids]:
            del self._content.events[event]

    async def close(self) -> None:
        pass

    def _writing(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _holds(self, id: str, held: Mapping[str, int]) -> bool:
        row = self._rows.get(id)
        return row is not None and row.node == self._node and row.attempt == held.get(id)

    def _hold(self, rows: Iterable[_Row]) -> list[TakenJob]:
        taken = list(rows)
        for row in taken:
            row.node, row.lease, row.attempt = self._node, self._lease(), row.attempt + 1
        return [TakenJob(row.job, row.attempt) for row in taken]

    def _change(self, row: _Row, job: Job) -> None:
        row.job, row.revision = job, self._next_revision()
        if is_final(job.state):
            row.completed = isinstance(job.state, Completed)

    def _next_revision(self) -> int:
        self._content.revision += 1
        return self._content.revision

    def _lease(self) -> float:
        return self._now() + LEASE


def _can_wait(row: _Row) -> bool:
    return isinstance(row.job.state, Queued) and row.job.operation is Operation.BUILD and not row.cancel
