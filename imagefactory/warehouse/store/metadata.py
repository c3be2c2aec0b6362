"""The metadata half of a warehouse: buckets, objects, attributes, which bodies there are, and the queue of copies.

One implementation is over SQLite (`sqlite_metadata`), for one host. Another one, over PostgreSQL say, has to have
transactions in which what a writer has read stays so until it commits (SERIALIZABLE, or rows that `find` locks),
upserts, and an index of attributes by name and value; names are compared by their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from imagefactory.warehouse.store.blobs import Blob
from imagefactory.warehouse.store.objects import StoredObject, Usage
from imagefactory.warehouse.store.providers import ReplicationProvider
from imagefactory.warehouse.store.queue import Copy


class ReplicationTransaction(Protocol):
    """Providers, and the queue of copies to them, in one transaction."""

    def providers(self) -> list[ReplicationProvider]:
        """All, by name."""
        ...

    def add_provider(self, new: ReplicationProvider) -> None:
        """Make it known, or change what is known of it; whether it is the main one stays.

        What another place has is unknown: copies that were made do not count for it. Conflict for this store itself."""
        ...

    def remove_provider(self, name: str) -> bool:
        """Forget it and what was to be copied there; False for an unknown one, the main one and this store itself."""
        ...

    def make_main(self, name: str) -> bool:
        """Make it the main one; False if it is unknown."""
        ...

    def waiting(self) -> int:
        """How many copies are still to be made."""
        ...

    def due(self, now: float) -> list[str]:
        """The providers that something is due for."""
        ...

    def next_copy(self, now: float, name: str | None) -> Copy | None:
        """The copy that is due longest, to one provider or to any."""
        ...

    def copied(self, done: Copy, sha256: str) -> None:
        """The provider has the body with this digest; a body that was replaced meanwhile is still to be copied."""
        ...

    def dropped(self, gone: Copy) -> None:
        """There is nothing to copy any more."""
        ...

    def postponed(self, failed: Copy, due: float, error: str) -> None:
        """It did not work this time."""
        ...

    def has_copy(self, name: str, stored: StoredObject) -> bool:
        """Whether the provider was given the body as it is now; this store has what it has."""
        ...


class MetadataTransaction(ReplicationTransaction, Protocol):
    """Objects in one transaction."""

    def demand_bucket(self, name: str) -> None:
        """Raises NotFound if there is no such bucket."""
        ...

    def create_bucket(self, name: str) -> bool:
        """Make it; False if it is there."""
        ...

    def bucket_names(self) -> list[str]:
        """All of them, in order."""
        ...

    def delete_bucket(self, name: str) -> bool:
        """Remove an empty one; False if there is none, Conflict if an object is in it."""
        ...

    def find(self, bucket_name: str, key: str) -> StoredObject | None:
        """The object, if there is one."""
        ...

    def obtain(self, bucket_name: str, key: str, now: float) -> StoredObject:
        """The object, made if need be, modified `now` or when it was before; NotFound without the bucket."""
        ...

    def attributes(self, object_id: int) -> dict[str, str]:
        """What clients have set, by name."""
        ...

    def set_attributes(self, object_id: int, changes: Mapping[str, str | None]) -> None:
        """Set, or remove what is None or empty: an empty attribute reads as an absent one."""
        ...

    def remove_attribute(self, object_id: int, name: str) -> bool:
        """Whether there was one."""
        ...

    def same_body(self, new: Blob) -> Blob | None:
        """A blob that has the same content already."""
        ...

    def add_blob(self, new: Blob) -> None:
        """Make the blob known."""
        ...

    def set_body(self, stored: StoredObject, blob_id: str, modified: float) -> None:
        """Make the blob the object's body."""
        ...

    def drop_unused(self, blob_id: str) -> bool:
        """Forget a blob that is the body of no object any more; its file may go when the transaction is through."""
        ...

    def mark_damaged(self, blob_id: str) -> None:
        """Note that the content is not what was stored."""
        ...

    def note_sha256(self, blob_id: str, sha256: str) -> None:
        """Keep a digest that was computed."""
        ...

    def supersede(self, old: str, new: str) -> None:
        """All objects that had the one blob have the other, which is known already; the old one is forgotten."""
        ...

    def remove(self, object_id: int) -> None:
        """Remove the object with its attributes."""
        ...

    def known_blobs(self) -> set[str]:
        """The ids of all blobs."""
        ...

    def usage(self, free: int | None) -> Usage:
        """Count everything."""
        ...

    def keys(self, bucket: str, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
        """Keys of the bucket in byte order; NotFound."""
        ...

    def query(self, bucket: str, expression: str, after: str = "", limit: int | None = None) -> list[str]:
        """Keys of the selected objects in byte order; NotFound, InvalidInput."""
        ...

    def attributes_of(self, bucket: str, keys: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Some attributes (all, if none is named) of several objects, by key."""
        ...

    def read_attribute(self, bucket: str, key: str, name: str) -> str:
        """One attribute as iwhd reads it, the computed ones included; empty if there is none."""
        ...

    def enqueue_copies(self, stored: StoredObject) -> None:
        """Note the copies that the policy wants, now that the object has changed."""
        ...


class MetadataStore(Protocol):
    """Transactions over the metadata. Everything here blocks; raises NoSpace and Unavailable."""

    def read(self) -> AbstractContextManager[MetadataTransaction]:
        """A transaction that sees one state, and changes nothing."""
        ...

    def write(self) -> AbstractContextManager[MetadataTransaction]:
        """A transaction that is committed when it is left without an error; other writers wait meanwhile."""
        ...

    def close(self) -> None: ...
