"""Other warehouses that bodies are copied to, and the copies still to be made.

A policy is a query over the object and, as `#name`, over the provider's settings: the object's attribute `_policy`,
else that of the bucket's `_default`. Where it is true, the body is to be copied. What is to be copied is remembered in
the database, one entry per object and provider, until it is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from imagefactory.model.errors import InvalidInput
from imagefactory.warehouse.names import DEFAULTS
from imagefactory.warehouse.query import matches, parse
from imagefactory.warehouse.store import objects, search
from imagefactory.warehouse.store.objects import Stored
from imagefactory.warehouse.store.schema import provider, replica, replication

TYPES = ("s3", "cf", "http", "fs")


@dataclass(frozen=True, slots=True)
class Provider:
    """One place for bodies; `main` is this warehouse itself."""

    name: str
    type: str
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    path: str = ""
    main: bool = False

    @property
    def settings(self) -> dict[str, str]:
        """What `#name` reads in a policy."""
        return {"name": self.name, "type": self.type, "host": self.host, "key": self.username, "path": self.path}


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy to be made: `due` in Unix seconds, `attempts` that failed so far."""

    id: int
    provider: str
    bucket: str
    key: str
    attempts: int
    due: float


def providers(connection: Connection) -> list[Provider]:
    """All, by name."""
    return [Provider(**row._mapping) for row in connection.execute(select(provider).order_by(provider.c.name))]


def add_provider(connection: Connection, new: Provider) -> None:
    """Make it known, or change what is known of it; whether it is the main one stays."""
    row = asdict(new)
    del row["main"]
    statement = upsert(provider).values(**row)
    connection.execute(statement.on_conflict_do_update(set_={name: statement.excluded[name] for name in row}))


def remove_provider(connection: Connection, name: str) -> bool:
    """Forget it and what was to be copied there; False for an unknown one and for the main one."""
    gone = connection.execute(delete(provider).where(provider.c.name == name, ~provider.c.main)).rowcount
    if gone:
        connection.execute(delete(replication).where(replication.c.provider == name))
        connection.execute(delete(replica).where(replica.c.provider == name))
    return bool(gone)


def make_main(connection: Connection, name: str) -> bool:
    """Make it the main one; False if it is unknown."""
    if connection.scalar(select(provider.c.name).where(provider.c.name == name)) is None:
        return False
    connection.execute(update(provider).values(main=provider.c.name == name))
    return True


def consider(connection: Connection, stored: Stored) -> None:
    """Note the copies that the policy wants, now that the object has changed."""
    others = [one for one in providers(connection) if not one.main]
    if others and stored.blob is not None:
        for one in _wanted(connection, stored, others):
            _enqueue(connection, one.name, stored)


def _wanted(connection: Connection, stored: Stored, others: list[Provider]) -> Iterator[Provider]:
    attributes = objects.attributes(connection, stored.id)
    policy = attributes.get("_policy") or search.read_attribute(connection, stored.bucket, DEFAULTS, "_policy")
    try:
        query = parse(policy or "0")
    except InvalidInput:  # a policy is a free attribute: one that nobody can read wants nothing
        return
    seen = attributes | {"_key": stored.key, "_bucket": stored.bucket, "_etag": stored.etag}

    def resolve(bucket: str, key: str, name: str) -> str:
        return search.read_attribute(connection, bucket, key, name)

    yield from (one for one in others if matches(query, seen, resolve, one.settings))


def _enqueue(connection: Connection, name: str, stored: Stored) -> None:
    row = {"provider": name, "bucket": stored.bucket, "key": stored.key, "due": 0.0, "attempts": 0}
    statement = upsert(replication).values(**row)
    connection.execute(statement.on_conflict_do_update(set_={"due": 0.0, "attempts": 0}))


def waiting(connection: Connection) -> int:
    """How many copies are still to be made."""
    return connection.execute(select(func.count()).select_from(replication)).scalar_one()


def next_copy(connection: Connection, now: float) -> Copy | None:
    """The copy that is due longest."""
    wanted = select(replication).where(replication.c.due <= now).order_by(replication.c.due, replication.c.id).limit(1)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else Copy(row.id, row.provider, row.bucket, row.key, row.attempts, row.due)


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


def has_copy(connection: Connection, name: str, stored: Stored) -> bool:
    """Whether the provider has the body as it is now."""
    if stored.blob is None:
        return False
    main = connection.scalar(select(provider.c.main).where(provider.c.name == name))
    there = select(replica.c.sha256).where(
        replica.c.provider == name, replica.c.bucket == stored.bucket, replica.c.key == stored.key
    )
    return bool(main) or connection.scalar(there) == stored.blob.sha256
