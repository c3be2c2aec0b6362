"""The job store in one SQLite file, which a daemon and any number of commands may share."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, cast, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert
from twisted.logger import Logger

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store import schema
from imagefactory.jobs.store.codec import Damaged, decode_event, decode_job, encode_event, encode_job
from imagefactory.jobs.store.interface import Batch, LogExtent, Owner, Remembered
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.database.sqlite import Database
from imagefactory.model.jobs import Job

#: SQLite takes so many values in one statement.
CHUNK = 500

#: Behind the owner of a job that ends with its process.
COMMAND = ":command"


#: What is needed of each job; its request, which may be large, is not.
_JOBS = select(
    schema.jobs.c.position, schema.jobs.c.id, schema.jobs.c.owner, schema.jobs.c.body, schema.jobs.c.request
).order_by(schema.jobs.c.position)


class SqliteJobStore:
    """A `JobStore`; made by `open_store`."""

    _log = Logger()

    def __init__(self, database: Database, owner: Owner, threads: Threads) -> None:
        self._database = database
        self._owner = _owner_text(owner)
        self._threads = threads

    async def load(self) -> list[Remembered]:
        return await self._threads.run(self._load)

    async def others(self, after: int) -> tuple[int, list[Remembered]]:
        return await self._threads.run(self._others, after)

    async def write(self, batch: Batch) -> None:
        await self._threads.run(self._write, batch)

    async def claim(self, id: str, owner: Owner) -> Job | None:
        return await self._threads.run(self._claim, id, _owner_text(owner))

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

    def _load(self) -> list[Remembered]:
        return self._readable(self._rows(_JOBS))

    def _others(self, after: int) -> tuple[int, list[Remembered]]:
        c = schema.jobs.c
        changed = c.revision > after
        with self._database.read() as connection:
            last = connection.execute(select(func.max(c.revision)).where(changed)).scalar()
            rows = connection.execute(_JOBS.where(changed, c.owner != self._owner)).all()
        return after if last is None else last, self._readable(rows)

    def _readable(self, rows: Sequence[Any]) -> list[Remembered]:
        found = []
        for row in rows:
            try:
                found.append(Remembered(decode_job(row.body), _owner(row.owner)))
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

    def _write(self, batch: Batch) -> None:
        with self._database.write() as connection:
            keys = {text: sha256(text.encode()).hexdigest() for text in set(batch.requests.values())}
            _replace(connection, schema.requests, [(key, text) for text, key in keys.items()])
            for job in batch.jobs:
                request = batch.requests.get(job.id)
                connection.execute(self._job(job.id, encode_job(job), None if request is None else keys[request]))
            _replace(connection, schema.lines, [(line.job, line.number, line.time, line.text) for line in batch.lines])
            rows = [(item.id, item.job.id, item.time, item.kind, encode_event(item)) for item in batch.events]
            _replace(connection, schema.events, rows)

    def _job(self, id: str, body: str, request: str | None) -> Any:
        revision = select(func.coalesce(func.max(schema.jobs.c.revision), 0) + 1).scalar_subquery()
        values: dict[str, Any] = {"owner": self._owner, "body": body, "revision": revision}
        values |= {} if request is None else {"request": request}
        return insert(schema.jobs).values(id=id, **values).on_conflict_do_update(index_elements=["id"], set_=values)

    def _claim(self, id: str, owner: str) -> Job | None:
        c = schema.jobs.c
        with self._database.write() as connection:
            body = connection.execute(select(c.body).where(c.id == id, c.owner == owner)).scalar()
            if body is None:
                return None
            connection.execute(update(schema.jobs).where(c.id == id).values(owner=self._owner))
            return decode_job(body)

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
            for start in range(0, len(ids), CHUNK):
                some = ids[start : start + CHUNK]
                for column in (schema.jobs.c.id, schema.lines.c.job, schema.events.c.job):
                    connection.execute(delete(column.table).where(column.in_(some)))
            used = select(schema.jobs.c.request)
            connection.execute(delete(schema.requests).where(schema.requests.c.key.not_in(used)))
        self._database.give_back()


async def open_store(path: Path, owner: Owner, threads: Threads) -> SqliteJobStore:
    """Open or make the job store at `path` and bring it up to date.

    Raises NoSpace, Unavailable (not writable, not a job store), Conflict (of a later version).
    """
    return await threads.run(_open, path, owner, threads)


def _open(path: Path, owner: Owner, threads: Threads) -> SqliteJobStore:
    return SqliteJobStore(Database(path, schema.STORE), owner, threads)


def _owner_text(owner: Owner) -> str:
    return f"{owner.pid}:{owner.started}{'' if owner.daemon else COMMAND}"


def _owner(text: str) -> Owner:
    pid, _, started = text.removesuffix(COMMAND).partition(":")
    if not (pid.isdecimal() and started.isdecimal()):
        raise Damaged(f"owner {text!r}")
    return Owner(int(pid), int(started), daemon=not text.endswith(COMMAND))


def _replace(connection: Connection, table: Any, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        values = [dict(zip(table.c.keys(), row, strict=True)) for row in rows]
        connection.execute(insert(table).prefix_with("OR REPLACE"), values)
