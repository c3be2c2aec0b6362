"""Buckets, objects and attributes as rows: each function is one step inside a caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from imagefactory.lib.errors import Conflict, NotFound
from imagefactory.warehouse.names import DEFAULTS
from imagefactory.warehouse.store.blobs import Blob
from imagefactory.warehouse.store.schema import attribute, blob, bucket, object_


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it is known: `blob` is None without a body; `modified` in Unix seconds, never going back."""

    id: int
    bucket: str
    key: str
    modified: float
    blob: Blob | None = None

    @property
    def etag(self) -> str:
        """16 hex digits, as iwhd had; here they depend on the content only. Empty without a body."""
        return self.blob.etag if self.blob else ""


@dataclass(frozen=True, slots=True)
class Usage:
    """How much there is; bytes as clients see them (`logical`), on the disk, and free."""

    objects: int
    blobs: int
    logical: int
    allocated: int
    free: int | None


def bucket_id(connection: Connection, name: str) -> int:
    """The row of the bucket; NotFound."""
    found = connection.scalar(select(bucket.c.id).where(bucket.c.name == name))
    if found is None:
        raise NotFound("there is no such bucket", where=name)
    return int(found)


def create_bucket(connection: Connection, name: str) -> bool:
    """Make it; False if it is there."""
    made = connection.execute(upsert(bucket).values(name=name).on_conflict_do_nothing())
    return bool(made.rowcount)


def bucket_names(connection: Connection) -> list[str]:
    """All of them, in order."""
    return list(connection.scalars(select(bucket.c.name).order_by(bucket.c.name)))


def delete_bucket(connection: Connection, name: str) -> bool:
    """Remove an empty one; False if there is none, Conflict if an object is in it."""
    id = connection.scalar(select(bucket.c.id).where(bucket.c.name == name))
    if id is None:
        return False
    inside = (object_.c.bucket_id == id) & (object_.c.key != DEFAULTS)
    if connection.scalar(select(exists().where(inside))):
        raise Conflict("the bucket is not empty", where=name)
    connection.execute(delete(object_).where(object_.c.bucket_id == id))
    connection.execute(delete(bucket).where(bucket.c.id == id))
    return True


_BLOB = (blob.c.sha256, blob.c.size, blob.c.allocated, blob.c.damaged, blob.c.content)
_FIND = (
    select(object_.c.id, object_.c.modified, blob.c.id.label("blob"), *_BLOB)
    .select_from(bucket)
    .join(object_, object_.c.bucket_id == bucket.c.id)
    .outerjoin(blob, blob.c.id == object_.c.blob_id)
    .where(bucket.c.name == bindparam("bucket_name"), object_.c.key == bindparam("key_name"))
)


def find(connection: Connection, bucket_name: str, key: str) -> StoredObject | None:
    """The object, if there is one."""
    row = connection.execute(_FIND, {"bucket_name": bucket_name, "key_name": key}).one_or_none()
    return None if row is None else StoredObject(row.id, bucket_name, key, row.modified, _blob(row))


def _blob(row: Row[*tuple[Any, ...]]) -> Blob | None:
    return None if row.blob is None else Blob(row.blob, row.sha256, row.size, row.allocated, row.damaged, row.content)


def obtain(connection: Connection, bucket_name: str, key: str, now: float) -> StoredObject:
    """The object, made if need be, modified `now` or when it was before; NotFound without the bucket."""
    stored = find(connection, bucket_name, key)
    if stored is None:
        row = {"bucket_id": bucket_id(connection, bucket_name), "key": key, "modified": now}
        made = connection.execute(insert(object_).values(row)).inserted_primary_key
        assert made is not None
        return StoredObject(int(made[0]), bucket_name, key, now)
    modified = max(now, stored.modified)
    connection.execute(update(object_).where(object_.c.id == stored.id).values(modified=modified))
    return StoredObject(stored.id, bucket_name, key, modified, stored.blob)


_ATTRIBUTES = (
    select(attribute.c.name, attribute.c.value)
    .where(attribute.c.object_id == bindparam("id"))
    .order_by(attribute.c.name)
)


def attributes(connection: Connection, object_id: int) -> dict[str, str]:
    """What clients have set, by name."""
    return {
        row.name: row.value for row in connection.execute(_ATTRIBUTES.order_by(attribute.c.name), {"id": object_id})
    }


def set_attributes(connection: Connection, object_id: int, changes: Mapping[str, str | None]) -> None:
    """Set, or remove what is None or empty: an empty attribute reads as an absent one."""
    gone = [name for name, value in changes.items() if not value]
    kept = [{"object_id": object_id, "name": name, "value": value} for name, value in changes.items() if value]
    if gone:
        connection.execute(delete(attribute).where(attribute.c.object_id == object_id, attribute.c.name.in_(gone)))
    if kept:
        statement = upsert(attribute)
        connection.execute(statement.on_conflict_do_update(set_={"value": statement.excluded.value}), kept)


def remove_attribute(connection: Connection, object_id: int, name: str) -> bool:
    """Whether there was one."""
    this = (attribute.c.object_id == object_id) & (attribute.c.name == name)
    return bool(connection.execute(delete(attribute).where(this)).rowcount)


def same_body(connection: Connection, new: Blob) -> Blob | None:
    """A blob that has the same content already."""
    same = [column == mine for column, mine in ((blob.c.sha256, new.sha256), (blob.c.content, new.content)) if mine]
    wanted = select(blob.c.id.label("blob"), *_BLOB).where(or_(*same), blob.c.size == new.size).limit(1)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else _blob(row)


def add_blob(connection: Connection, new: Blob) -> None:
    """Make the blob known."""
    row = {"id": new.id, "sha256": new.sha256, "size": new.size, "allocated": new.allocated, "content": new.content}
    connection.execute(insert(blob).values(row))


def set_body(connection: Connection, stored: StoredObject, blob_id: str, modified: float) -> None:
    """Make the blob the object's body."""
    values = {"blob_id": blob_id, "modified": modified}
    connection.execute(update(object_).where(object_.c.id == stored.id).values(values))


def drop_unused(connection: Connection, blob_id: str) -> bool:
    """Forget a blob that is the body of no object any more; its file may go when the transaction is through."""
    unused = ~exists().where(object_.c.blob_id == blob_id)
    return bool(connection.execute(delete(blob).where(blob.c.id == blob_id, unused)).rowcount)


def mark_damaged(connection: Connection, blob_id: str) -> None:
    """Note that the content is not what was stored."""
    connection.execute(update(blob).where(blob.c.id == blob_id).values(damaged=True))


def note_sha256(connection: Connection, blob_id: str, sha256: str) -> None:
    """Keep a digest that was computed."""
    connection.execute(update(blob).where(blob.c.id == blob_id).values(sha256=sha256))


def supersede(connection: Connection, old: str, new: str) -> None:
    """All objects that had the one blob have the other, which is known already; the old one is forgotten."""
    connection.execute(update(object_).where(object_.c.blob_id == old).values(blob_id=new))
    connection.execute(delete(blob).where(blob.c.id == old))


def remove(connection: Connection, object_id: int) -> None:
    """Remove the object with its attributes."""
    connection.execute(delete(object_).where(object_.c.id == object_id))


def known_blobs(connection: Connection) -> set[str]:
    """The ids of all blobs."""
    return set(connection.scalars(select(blob.c.id)))


def usage(connection: Connection, free: int | None) -> Usage:
    """Count everything."""
    count = connection.execute(select(func.count()).select_from(object_)).scalar_one()
    sums = select(func.count(), func.coalesce(func.sum(blob.c.size), 0), func.coalesce(func.sum(blob.c.allocated), 0))
    blobs, logical, allocated = connection.execute(sums.select_from(blob)).one()
    return Usage(count, blobs, logical, allocated, free)
