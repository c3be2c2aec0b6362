"""The ledger of resources at providers, in the job store's file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from imagefactory.jobs.store import schema
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.database.sqlite import Database
from imagefactory.lib.errors import Conflict
from imagefactory.targets.resources import Resource, ResourceState

_TABLE = schema.resources
_C = _TABLE.c
_COLUMNS = [column for column in _C if column.name not in {"position", "holder"}]


class SqliteLedger:
    """A `ResourceLedger`; made by `open_ledger`.

    Args:
        database: of the job store.
        holder: names this process.
        alive: tells whether the process of that name still runs; blocks.
        threads: runs the statements.
    """

    def __init__(self, database: Database, holder: str, alive: Callable[[str], bool], threads: Threads) -> None:
        self._database = database
        self._holder = holder
        self._alive = alive
        self._threads = threads

    async def intend(self, resource: Resource) -> Resource:
        return await self._threads.run(self._intend, resource)

    async def created(self, token: str, identifier: str) -> None:
        values = {"identifier": identifier, "state": ResourceState.CREATED.value}
        await self._threads.run(self._execute, update(_TABLE).where(_C.token == token).values(values))

    async def mark(self, tokens: Collection[str], state: ResourceState) -> None:
        await self._threads.run(self._execute, update(_TABLE).where(_C.token.in_(tokens)).values(state=state.value))

    async def take(self, *, push: str) -> Sequence[Resource]:
        return await self._threads.run(self._take, _C.push == push)

    async def take_account(self, target: str, provider: str, account: str) -> Sequence[Resource]:
        where = (_C.target == target) & (_C.provider == provider) & (_C.account == account)
        return await self._threads.run(self._take, where)

    async def release(self, tokens: Collection[str], note: str = "") -> None:
        values = {"holder": "", "note": note} if note else {"holder": ""}
        await self._threads.run(self._execute, update(_TABLE).where(_C.token.in_(tokens)).values(values))

    async def drop(self, tokens: Collection[str]) -> None:
        await self._threads.run(self._execute, delete(_TABLE).where(_C.token.in_(tokens)))

    async def leftovers(self) -> Sequence[Resource]:
        return await self._threads.run(self._leftovers)

    async def close(self) -> None:
        await self._threads.run(self._database.close)

    def _execute(self, statement: Any) -> None:
        with self._database.write() as connection:
            connection.execute(statement)

    def _intend(self, resource: Resource) -> Resource:
        with self._database.write() as connection:
            row = connection.execute(select(*_COLUMNS, _C.holder).where(_C.token == resource.token)).one_or_none()
            if row is not None:
                known = _resource(row)
                doomed = known.state is ResourceState.DELETING
                if doomed or known.push != resource.push or self._lives(row.holder):
                    raise Conflict(f"resource {resource.token} is in use by push {known.push}", hint="try again later")
                connection.execute(update(_TABLE).where(_C.token == known.token).values(holder=self._holder))
                return known
            values = {column.name: getattr(resource, column.name) for column in _COLUMNS}
            values |= {"state": resource.state.value, "holder": self._holder}
            connection.execute(insert(_TABLE).values(values))
            return resource

    def _take(self, where: Any) -> list[Resource]:
        with self._database.write() as connection:
            found = self._unheld(connection, where)
            taken = _C.token.in_([resource.token for resource in found])
            connection.execute(update(_TABLE).where(taken).values(holder=self._holder))
        return found[::-1]

    def _leftovers(self) -> list[Resource]:
        with self._database.read() as connection:
            return self._unheld(connection, _C.token != "")

    def _unheld(self, connection: Connection, where: Any) -> list[Resource]:
        """In the order in which they were written down."""
        rows = connection.execute(select(*_COLUMNS, _C.holder).where(where).order_by(_C.position)).all()
        living = {holder for holder in {row.holder for row in rows} if self._lives(holder)}
        return [_resource(row) for row in rows if row.holder not in living]

    def _lives(self, holder: str) -> bool:
        return holder == self._holder or bool(holder and self._alive(holder))


def _resource(row: Any) -> Resource:
    fields = {column.name: getattr(row, column.name) for column in _COLUMNS}
    return Resource(**{**fields, "state": ResourceState(row.state)})


async def open_ledger(path: Path, holder: str, alive: Callable[[str], bool], threads: Threads) -> SqliteLedger:
    """Open the ledger in the job store at `path`, see `SqliteLedger`.

    Raises NoSpace, Unavailable (not writable, not a job store), Conflict (of a later version).
    """
    return SqliteLedger(await threads.run(Database, path, schema.STORE), holder, alive, threads)
