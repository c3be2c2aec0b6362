"""The copies still to be made, and those that were made: one entry per object and provider, until it is done."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from imagefactory.warehouse.store import objects
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.store.schema import provider, replica, replication

LONGEST = 3600.0
"""Seconds that a copy which failed is put off at most."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy to be made: `due` in Unix seconds, `attempts` that failed so far."""

    id: int
    provider: str
    bucket: str
    key: str
    attempts: int
    due: float


def enqueue(connection: Connection, name: str, stored: StoredObject) -> None:
    """Copy the object's body to the provider `name`, from now on."""
    row = {"provider": name, "bucket": stored.bucket, "key": stored.key, "due": 0.0, "attempts": 0}
    statement = upsert(replication).values(**row)
    connection.execute(statement.on_conflict_do_update(set_={"due": 0.0, "attempts": 0}))


def waiting(connection: Connection) -> int:
    """How many copies are still to be made."""
    return connection.execute(select(func.count()).select_from(replication)).scalar_one()


def due(connection: Connection, now: float) -> list[str]:
    """The providers that something is due for."""
    return list(connection.scalars(select(replication.c.provider).where(_is_due(now)).distinct()))


def next_copy(connection: Connection, now: float, name: str | None) -> Copy | None:
    """The copy that is due longest, to one provider or to any."""
    wanted = select(replication).where(_is_due(now)).order_by(replication.c.due, replication.c.id).limit(1)
    row = connection.execute(wanted if name is None else wanted.where(replication.c.provider == name)).one_or_none()
    return None if row is None else Copy(row.id, row.provider, row.bucket, row.key, row.attempts, row.due)


def _is_due(now: float) -> ColumnElement[bool]:
    """What is due later than anything is ever put off was put off by a clock that was ahead."""
    return (replication.c.due <= now) | (replication.c.due > now + LONGEST)


def copied(connection: Connection, done: Copy, sha256: str) -> None:
    """The provider has the body with this digest; a body that was replaced meanwhile is still to be copied."""
    stored = objects.find(connection, done.bucket, done.key)
    if stored is None or stored.blob is None or stored.blob.sha256 == sha256:
        connection.execute(delete(replication).where(replication.c.id == done.id))
    row = {"provider": done.provider, "bucket": done.bucket, "key": done.key, "sha256": sha256}
    connection.execute(upsert(replica).values(**row).on_conflict_do_update(set_={"sha256": sha256}))


def dropped(connection: Connection, gone: Copy) -> None:
    """There is nothing to copy any more."""
    connection.execute(delete(replication).where(replication.c.id == gone.id))


def postponed(connection: Connection, failed: Copy, due: float, error: str) -> None:
    """It did not work this time."""
    values = {"attempts": failed.attempts + 1, "due": due, "error": error}
    connection.execute(update(replication).where(replication.c.id == failed.id).values(**values))


def has_copy(connection: Connection, name: str, stored: StoredObject) -> bool:
    """Whether the provider was given the body as it is now; this store has what it has."""
    if stored.blob is None:
        return False
    here = connection.scalar(select(provider.c.here).where(provider.c.name == name))
    there = select(replica.c.sha256).where(
        replica.c.provider == name, replica.c.bucket == stored.bucket, replica.c.key == stored.key
    )
    return bool(here) or connection.scalar(there) == stored.blob.sha256
