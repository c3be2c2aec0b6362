"""Which node holds which job, as statements over the table of jobs; each function is part of a caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, select, update

from imagefactory.jobs.store import schema
from imagefactory.jobs.store.codec import decode_job
from imagefactory.jobs.store.interface import LEASE, Beat, GroupState, Holder, JobNode, TakenJob

_TABLE = schema.jobs
_C = _TABLE.c
_ENDED = ("completed", "failed")
_FREE = select(_C.id, _C.build, _C.needs).where(_C.state == "queued", _C.node == "").order_by(_C.position)
#: SQLite takes so many values in one statement.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Claims:
    """The statements of one node; `lease` is the Unix time until which it holds what it takes or renews now."""

    connection: Connection
    node: JobNode
    lease: float

    def held(self, ids: Iterable[str], held: Mapping[str, int]) -> set[str]:
        """Returns those of `ids` that this node holds under the attempt in `held`."""
        query = select(_C.id, _C.attempt).where(_C.node == self.node.id)
        known = {row.id: row.attempt for some in chunks(ids) for row in self._rows(query.where(_C.id.in_(some)))}
        return {id for id, attempt in known.items() if held.get(id) == attempt}

    def take(self, capabilities: Collection[str], places: int | None) -> list[TakenJob]:
        """See `JobStore.take`."""
        eligible = [row for row in self._rows(_FREE) if set(row.needs.split()) <= set(capabilities)]
        builds = set(islice(dict.fromkeys(row.build for row in eligible), places))
        return self._hold([row.id for row in eligible if row.build in builds])

    def any_free(self) -> bool:
        """Whether a job is held by no node."""
        return self.connection.execute(_FREE.limit(1)).first() is not None

    def lease_is_short(self) -> bool:
        """Whether a job of this node that has not ended is held for less than two thirds of a lease."""
        query = select(func.min(_C.lease)).where(_C.node == self.node.id, _C.state.not_in(_ENDED))
        shortest = self.connection.execute(query).scalar()
        return shortest is not None and shortest <= self.lease - LEASE / 3

    def renew(self, held: Mapping[str, int]) -> None:
        """Hold the jobs for a whole lease again."""
        for some in chunks(self.held(held, held)):
            self.connection.execute(update(_TABLE).where(_C.id.in_(some)).values(lease=self.lease))

    def beat(self, held: Mapping[str, int]) -> Beat:
        """Returns what `JobStore.beat` does, and renews nothing."""
        mine = self.held(held, held)
        cancelled = select(_C.id).where(_C.cancel, _C.state.not_in(_ENDED), _C.node == self.node.id)
        asked = {row.id for row in self._rows(cancelled)}
        return Beat(frozenset(held.keys() - mine), frozenset(mine & asked))

    def settle(self, id: str, attempt: int, outcome: str) -> GroupState | None:
        """See `JobStore.settle`."""
        if not self.held([id], {id: attempt}):
            return None
        group, before = self.connection.execute(select(_C.request_group, _C.outcome).where(_C.id == id)).one()
        self.connection.execute(update(_TABLE).where(_C.id == id).values(outcome=outcome))
        outcomes = {row.outcome for row in self._rows(select(_C.outcome).where(_C.request_group == group))}
        return GroupState(not before and "" not in outcomes, "completed" in outcomes)

    def holders(self) -> list[Holder]:
        """See `JobStore.holders`."""
        query = select(_C.node, _C.daemon, _C.lease).where(_C.state.not_in(_ENDED), _C.node.not_in(("", self.node.id)))
        leases: dict[JobNode, float] = {}
        for row in self._rows(query):
            node = JobNode(row.node, row.daemon)
            leases[node] = max(row.lease, leases.get(node, 0.0))
        return [Holder(node, lease) for node, lease in leases.items()]

    def release(self, node: JobNode) -> list[TakenJob]:
        """See `JobStore.release`."""
        left = (_C.node == node.id) & (_C.daemon == node.daemon) & _C.state.not_in(_ENDED)
        waiting = left & (_C.state == "queued") & (_C.operation == "build") & ~_C.cancel
        if node.daemon:
            self.connection.execute(update(_TABLE).where(waiting).values(node="", lease=0))
        return self._hold([row.id for row in self._rows(select(_C.id).where(left).order_by(_C.position))])

    def _hold(self, ids: Sequence[str]) -> list[TakenJob]:
        values: dict[str, Any] = {"node": self.node.id, "daemon": self.node.daemon, "lease": self.lease}
        taken = []
        for some in chunks(ids):
            self.connection.execute(update(_TABLE).where(_C.id.in_(some)).values(attempt=_C.attempt + 1, **values))
            rows = self._rows(select(_C.body, _C.attempt).where(_C.id.in_(some)).order_by(_C.position))
            taken += [TakenJob(decode_job(row.body), row.attempt) for row in rows]
        return taken

    def _rows(self, query: Any) -> Sequence[Any]:
        return self.connection.execute(query).all()


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """Divides `values` into lists that one statement takes."""
    rest = iter(values)
    while some := list(islice(rest, CHUNK)):
        yield some
