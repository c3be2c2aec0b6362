"""The job store in one SQLite file, which a daemon and any number of commands may share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, LargeBinary, cast, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert
from twisted.logger import Logger

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store import schema
from imagefactory.jobs.store.claims import Claims, chunks
from imagefactory.jobs.store.codec import Damaged, decode_event, decode_job, encode_event, encode_job, state_name
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
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.database.sqlite import Database
from imagefactory.lib.errors import Conflict
from imagefactory.model.jobs import Job, is_final

T = TypeVar("T")

#: What is needed of each job; its request, which may be large, is not.
_JOBS = select(schema.jobs.c.position, schema.jobs.c.id, schema.jobs.c.body, schema.jobs.c.request).order_by(
    schema.jobs.c.position
)


class SqliteJobStore:
    """A `JobStore`; made by `open_store`.

    Cursors are revisions: each transaction that changes what a job looks like makes a new one.
    """

    _log = Logger()

    def __init__(self, database: Database, node: JobNode, threads: Threads, now: Callable[[], float]) -> None:
        self._database = database
        self._node = node
        self._threads = threads
        self._now = now

    async def load(self) -> tuple[str, list[Job]]:
        return await self._threads.run(self._changes, -1, None)

    async def changes(self, cursor: str) -> tuple[str, list[Job]]:
        return await self._threads.run(self._changes, int(cursor or "-1"), self._node.id)

    async def create(self, new: NewJobs) -> None:
        await self._threads.run(self._create, new)

    async def take(self, capabilities: Collection[str], places: int | None) -> list[TakenJob]:
        if not await self._threads.run(self._look, Claims.any_free):
            return []
        return await self._threads.run(self._claim, lambda claims: claims.take(capabilities, places))

    async def beat(self, held: Mapping[str, int]) -> Beat:
        held = dict(held)
        if await self._threads.run(self._look, Claims.lease_is_short):
            await self._threads.run(self._claim, lambda claims: claims.renew(held))
        return await self._threads.run(self._look, lambda claims: claims.beat(held))

    async def write(self, batch: Batch, held: Mapping[str, int]) -> frozenset[str]:
        return await self._threads.run(self._write, batch, dict(held))

    async def settle(self, id: str, attempt: int, *, completed: bool) -> GroupState | None:
        outcome = "completed" if completed else "failed"
        return await self._threads.run(self._claim, lambda claims: claims.settle(id, attempt, outcome))

    async def reopen(self, job: Job) -> int:
        return await self._threads.run(self._reopen, job)

    async def request_cancel(self, id: str) -> bool:
        return await self._threads.run(self._request_cancel, id)

    async def holders(self) -> list[Holder]:
        return await self._threads.run(self._look, Claims.holders)

    async def release(self, node: JobNode) -> list[TakenJob]:
        return await self._threads.run(self._claim, lambda claims: claims.release(node))

    async def request(self, id: str) -> str:
        jobs, requests = schema.jobs.c, schema.requests.c
        query = select(requests.body).join(schema.jobs, jobs.request == requests.key).where(jobs.id == id)
        return str(await self._threads.run(self._scalar, query) or "")

    async def log(self, id: str, *, after: int, limit: int) -> list[LogLine]:
        table = schema.lines
        query = select(table).where(table.c.job == id, table.c.number > after).order_by(table.c.number).limit(limit)
        return [LogLine(*row) for row in await self._threads.run(self._rows, query)]

    async def extent(self, id: str) -> LogExtent:
        c = schema.lines.c
        size = func.sum(func.length(cast(c.text, LargeBinary)))
        query = select(func.coalesce(func.max(c.number), 0), func.coalesce(size, 0)).where(c.job == id)
        return LogExtent(*(await self._threads.run(self._rows, query))[0])

    async def events(self, *, after: int, id: str | None, limit: int) -> list[JobEvent]:
        c = schema.events.c
        query = select(c.id, c.time, c.kind, c.body).where(c.id > after).order_by(c.id, c.job).limit(limit)
        rows = await self._threads.run(self._rows, query if id is None else query.where(c.job == id))
        return [found for row in rows if (found := self._event(row))]

    async def last_event(self) -> int:
        return int(await self._threads.run(self._scalar, select(func.max(schema.events.c.id))) or 0)

    async def reserve_events(self, count: int) -> int:
        return await self._threads.run(self._reserve_events, count)

    async def forget(self, ids: Sequence[str]) -> None:
        await self._threads.run(self._forget, ids)

    async def close(self) -> None:
        await self._threads.run(self._database.close)

    def _rows(self, query: Any) -> Sequence[Any]:
        with self._database.read() as connection:
            return connection.execute(query).all()

    def _scalar(self, query: Any) -> Any:
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def _changes(self, after: int, but: str | None) -> tuple[str, list[Job]]:
        c = schema.jobs.c
        with self._database.read() as connection:
            last = connection.execute(select(func.max(c.revision))).scalar()
            others = _JOBS.where(c.revision > after, c.node != but)
            rows = connection.execute(_JOBS if but is None else others).all()
        return str(max(after, last or 0)), self._readable(rows)

    def _readable(self, rows: Sequence[Any]) -> list[Job]:
        found = []
        for row in rows:
            try:
                found.append(decode_job(row.body))
            except Damaged as error:
                self._put_aside(row, str(error))
        return found

    def _put_aside(self, row: Any, reason: str) -> None:
        self._log.error("the record of job {id} is damaged and was put aside: {reason}", id=row.id, reason=reason)
        with self._database.write() as connection:
            request = connection.execute(select(schema.requests.c.body).where(schema.requests.c.key == row.request))
            values = {"id": row.id, "body": row.body, "request": request.scalar(), "reason": reason}
            connection.execute(insert(schema.quarantine).values(values))
            connection.execute(delete(schema.jobs).where(schema.jobs.c.position == row.position))

    def _event(self, row: Any) -> JobEvent | None:
        try:
            return decode_event(*row)
        except Damaged as error:
            self._log.warn("event {id} is damaged: {reason}", id=row.id, reason=str(error))
            return None

    def _create(self, new: NewJobs) -> None:
        with self._database.write() as connection:
            keys = {text: sha256(text.encode()).hexdigest() for text in set(new.requests.values())}
            _replace(connection, schema.requests, [(key, text) for text, key in keys.items()])
            common = {
                "request_group": new.jobs[0].id if new.jobs else "",
                "needs": " ".join(sorted(new.needs)),
                "node": self._node.id,
                "daemon": self._node.daemon,
                "lease": self._lease(),
                "revision": _next_revision(connection),
            }
            for job in new.jobs:
                request = keys[new.requests[job.id]] if job.id in new.requests else ""
                connection.execute(insert(schema.jobs).values(request=request, **common, **_columns(job)))

    def _write(self, batch: Batch, held: Mapping[str, int]) -> frozenset[str]:
        ids = {job.id for job in (*batch.jobs, *(event.job for event in batch.events))}
        ids |= {line.job for line in batch.lines}
        with self._database.write() as connection:
            mine = Claims(connection, self._node, self._lease()).held(ids, held)
            revision = _next_revision(connection) if batch.jobs else 0
            for job in batch.jobs:
                if job.id in mine:
                    changed = update(schema.jobs).where(schema.jobs.c.id == job.id)
                    connection.execute(changed.values(revision=revision, **_columns(job)))
            lines = [(line.job, line.number, line.time, line.text) for line in batch.lines if line.job in mine]
            _replace(connection, schema.lines, lines)
            events = [item for item in batch.events if item.job.id in mine]
            rows = [(item.id, item.job.id, item.time, item.kind, encode_event(item)) for item in events]
            _replace(connection, schema.events, rows)
        return frozenset(ids - mine)

    def _claim(self, statements: Callable[[Claims], T]) -> T:
        with self._database.write() as connection:
            return statements(Claims(connection, self._node, self._lease()))

    def _look(self, statements: Callable[[Claims], T]) -> T:
        """Waits for no writer, and writes nothing to the disk: nodes look every few seconds."""
        with self._database.read() as connection:
            return statements(Claims(connection, self._node, self._lease()))

    def _reopen(self, job: Job) -> int:
        c = schema.jobs.c
        with self._database.write() as connection:
            row = connection.execute(select(c.state, c.attempt).where(c.id == job.id)).one_or_none()
            if row is None or row.state not in {"completed", "failed"}:
                raise Conflict(f"job {job.id} runs again already")
            values = {"node": self._node.id, "daemon": self._node.daemon, "lease": self._lease(), "cancel": False}
            values |= {"attempt": row.attempt + 1, "outcome": "", "revision": _next_revision(connection)}
            connection.execute(update(schema.jobs).where(c.id == job.id).values(**{**_columns(job), **values}))
            return int(row.attempt) + 1

    def _request_cancel(self, id: str) -> bool:
        c = schema.jobs.c
        asked = update(schema.jobs).where(c.id == id, c.state.not_in(("completed", "failed"))).values(cancel=True)
        with self._database.write() as connection:
            return bool(connection.execute(asked).rowcount)

    def _lease(self) -> float:
        return self._now() + LEASE

    def _reserve_events(self, count: int) -> int:
        counter = schema.counters
        with self._database.write() as connection:
            reserved = connection.execute(select(counter.c.value).where(counter.c.name == "events")).scalar() or 0
            written = connection.execute(select(func.max(schema.events.c.id))).scalar() or 0
            first = max(reserved, written)
            _replace(connection, counter, [("events", first + count)])
            return first

    def _forget(self, ids: Sequence[str]) -> None:
        with self._database.write() as connection:
            for some in chunks(ids):
                for column in (schema.jobs.c.id, schema.lines.c.job, schema.events.c.job):
                    connection.execute(delete(column.table).where(column.in_(some)))
            used = select(schema.jobs.c.request)
            connection.execute(delete(schema.requests).where(schema.requests.c.key.not_in(used)))
        self._database.give_back()


async def open_store(
    path: Path, node: JobNode, threads: Threads, now: Callable[[], float] = time.time
) -> SqliteJobStore:
    """Open or make the job store at `path` and bring it up to date.

    Raises NoSpace, Unavailable (not writable, not a job store), Conflict (of a later version).
    """
    return SqliteJobStore(await threads.run(Database, path, schema.STORE), node, threads, now)


def _columns(job: Job) -> dict[str, Any]:
    """Returns what of a row follows from the job itself."""
    state = state_name(job.state)
    columns = {"id": job.id, "build": job.build_id, "operation": job.operation.value, "state": state}
    ended = {"outcome": state} if is_final(job.state) else {}
    return {**columns, **ended, "body": encode_job(job)}


def _next_revision(connection: Connection) -> int:
    """Returns a number above that of any job, the forgotten ones included."""
    counter, newest = schema.counters.c, select(func.max(schema.jobs.c.revision))
    counted = select(counter.value).where(counter.name == "revisions")
    number = 1 + max(connection.execute(query).scalar() or 0 for query in (counted, newest))
    _replace(connection, schema.counters, [("revisions", number)])
    return number


def _replace(connection: Connection, table: Any, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        values = [dict(zip(table.c.keys(), row, strict=True)) for row in rows]
        connection.execute(insert(table).prefix_with("OR REPLACE"), values)
