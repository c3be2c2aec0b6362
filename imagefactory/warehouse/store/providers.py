"""Other warehouses that bodies are copied to, and which copies the policies want.

A policy is a query over the object and, as `#name`, over the provider's settings: the object's attribute `_policy`,
else that of the bucket's `_default`. Where it is true, the body is to be copied (see `queue`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.warehouse.names import DEFAULTS
from imagefactory.warehouse.query import matches, parse
from imagefactory.warehouse.store import objects, queue, search
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.store.schema import provider, replica, replication

TYPES = ("s3", "cf", "http", "fs")


@dataclass(frozen=True, slots=True)
class ReplicationProvider:
    """One place for bodies.

    `here` is this store itself: nothing is ever copied to it, and it can neither be changed nor removed. `main` is the
    one that is shown as primary; it means nothing else. `more` are fields that only policies read.
    """

    name: str
    type: str
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    path: str = ""
    main: bool = False
    here: bool = False
    more: str = "{}"

    @property
    def settings(self) -> dict[str, str]:
        """What `#name` reads in a policy."""
        own = {"name": self.name, "type": self.type, "host": self.host, "path": self.path}
        more: dict[str, str] = json.loads(self.more)
        return more | own | {"key": self.username, "secret": self.password}


def providers(connection: Connection) -> list[ReplicationProvider]:
    """All, by name."""
    return [
        ReplicationProvider(**row._mapping) for row in connection.execute(select(provider).order_by(provider.c.name))
    ]


def add_provider(connection: Connection, new: ReplicationProvider) -> None:
    """Make it known, or change what is known of it; whether it is the main one stays.

    What another place has is unknown: copies that were made do not count for it. Conflict for this store itself.
    """
    known = connection.execute(select(provider).where(provider.c.name == new.name)).one_or_none()
    if known is not None and known.here:
        raise Conflict("this provider is the warehouse itself", where=new.name, hint="choose another name")
    row = asdict(new)
    del row["main"], row["here"]
    if known is not None and any(known._mapping[name] != row[name] for name in ("type", "host", "port", "path")):
        connection.execute(delete(replica).where(replica.c.provider == new.name))
    statement = upsert(provider).values(**row)
    connection.execute(statement.on_conflict_do_update(set_={name: statement.excluded[name] for name in row}))


def remove_provider(connection: Connection, name: str) -> bool:
    """Forget it and what was to be copied there; False for an unknown one, the main one and this store itself."""
    goes = (provider.c.name == name) & ~provider.c.main & ~provider.c.here
    gone = connection.execute(delete(provider).where(goes)).rowcount
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


def consider(connection: Connection, stored: StoredObject) -> None:
    """Note the copies that the policy wants, now that the object has changed."""
    others = [one for one in providers(connection) if not one.here]
    if others and stored.blob is not None:
        for one in _wanted(connection, stored, others):
            queue.enqueue(connection, one.name, stored)


def _wanted(
    connection: Connection, stored: StoredObject, others: list[ReplicationProvider]
) -> Iterator[ReplicationProvider]:
    attributes = objects.attributes(connection, stored.id)
    policy = attributes.get("_policy") or search.read_attribute(connection, stored.bucket, DEFAULTS, "_policy")
    try:
        query = parse(policy or "0")
    except InvalidInput:  # a policy is a free attribute: one that cannot be read wants nothing
        return
    seen = attributes | {"_key": stored.key, "_bucket": stored.bucket, "_etag": stored.etag}

    def resolve(bucket: str, key: str, name: str) -> str:
        return search.read_attribute(connection, bucket, key, name)

    yield from (one for one in others if matches(query, seen, resolve, one.settings))
