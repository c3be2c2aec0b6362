"""The metadata of a warehouse in one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from imagefactory.lib.database.sqlite import Database
from imagefactory.warehouse.store import objects, providers, queue, search
from imagefactory.warehouse.store.blobs import Blob
from imagefactory.warehouse.store.objects import StoredObject, Usage
from imagefactory.warehouse.store.providers import ReplicationProvider
from imagefactory.warehouse.store.queue import Copy


class SqliteTransaction:
    """`MetadataTransaction` over a connection; see there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def providers(self) -> list[ReplicationProvider]:
        return providers.providers(self._connection)

    def add_provider(self, new: ReplicationProvider) -> None:
        providers.add_provider(self._connection, new)

    def remove_provider(self, name: str) -> bool:
        return providers.remove_provider(self._connection, name)

    def make_main(self, name: str) -> bool:
        return providers.make_main(self._connection, name)

    def waiting(self) -> int:
        return queue.waiting(self._connection)

    def due(self, now: float) -> list[str]:
        return queue.due(self._connection, now)

    def next_copy(self, now: float, name: str | None) -> Copy | None:
        return queue.next_copy(self._connection, now, name)

    def copied(self, done: Copy, sha256: str) -> None:
        queue.copied(self._connection, done, sha256)

    def dropped(self, gone: Copy) -> None:
        queue.dropped(self._connection, gone)

    def postponed(self, failed: Copy, due: float, error: str) -> None:
        queue.postponed(self._connection, failed, due, error)

    def has_copy(self, name: str, stored: StoredObject) -> bool:
        return queue.has_copy(self._connection, name, stored)

    def demand_bucket(self, name: str) -> None:
        objects.bucket_id(self._connection, name)

    def create_bucket(self, name: str) -> bool:
        return objects.create_bucket(self._connection, name)

    def bucket_names(self) -> list[str]:
        return objects.bucket_names(self._connection)

    def delete_bucket(self, name: str) -> bool:
        return objects.delete_bucket(self._connection, name)

    def find(self, bucket_name: str, key: str) -> StoredObject | None:
        return objects.find(self._connection, bucket_name, key)

    def obtain(self, bucket_name: str, key: str, now: float) -> StoredObject:
        return objects.obtain(self._connection, bucket_name, key, now)

    def attributes(self, object_id: int) -> dict[str, str]:
        return objects.attributes(self._connection, object_id)

    def set_attributes(self, object_id: int, changes: Mapping[str, str | None]) -> None:
        objects.set_attributes(self._connection, object_id, changes)

    def remove_attribute(self, object_id: int, name: str) -> bool:
        return objects.remove_attribute(self._connection, object_id, name)

    def same_body(self, new: Blob) -> Blob | None:
        return objects.same_body(self._connection, new)

    def add_blob(self, new: Blob) -> None:
        objects.add_blob(self._connection, new)

    def set_body(self, stored: StoredObject, blob_id: str, modified: float) -> None:
        objects.set_body(self._connection, stored, blob_id, modified)

    def drop_unused(self, blob_id: str) -> bool:
        return objects.drop_unused(self._connection, blob_id)

    def mark_damaged(self, blob_id: str) -> None:
        objects.mark_damaged(self._connection, blob_id)

    def note_sha256(self, blob_id: str, sha256: str) -> None:
        objects.note_sha256(self._connection, blob_id, sha256)

    def supersede(self, old: str, new: str) -> None:
        objects.supersede(self._connection, old, new)

    def remove(self, object_id: int) -> None:
        objects.remove(self._connection, object_id)

    def known_blobs(self) -> set[str]:
        return objects.known_blobs(self._connection)

    def usage(self, free: int | None) -> Usage:
        return objects.usage(self._connection, free)

    def keys(self, bucket: str, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
        return search.keys(self._connection, bucket, prefix, after, limit)

    def query(self, bucket: str, expression: str, after: str = "", limit: int | None = None) -> list[str]:
        return search.query(self._connection, bucket, expression, after, limit)

    def attributes_of(self, bucket: str, keys: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        return search.attributes_of(self._connection, bucket, keys, names)

    def read_attribute(self, bucket: str, key: str, name: str) -> str:
        return search.read_attribute(self._connection, bucket, key, name)

    def enqueue_copies(self, stored: StoredObject) -> None:
        providers.consider(self._connection, stored)


class SqliteMetadata:
    """`MetadataStore` over a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def read(self) -> Iterator[SqliteTransaction]:
        with self._database.read() as connection:
            yield SqliteTransaction(connection)

    @contextmanager
    def write(self) -> Iterator[SqliteTransaction]:
        with self._database.write() as connection:
            yield SqliteTransaction(connection)

    def close(self) -> None:
        self._database.close()
