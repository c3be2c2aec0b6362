"""The store itself: whole operations on metadata and bodies, each atomic. Everything here blocks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path

from imagefactory.lib.errors import FactoryError, InvalidInput, NotFound
from imagefactory.warehouse import names
from imagefactory.warehouse.store.blobs import Blob, BlobStore, Incoming, Reader
from imagefactory.warehouse.store.conditions import Condition, always
from imagefactory.warehouse.store.database import plain_errors
from imagefactory.warehouse.store.metadata import MetadataStore, MetadataTransaction
from imagefactory.warehouse.store.objects import StoredObject, Usage
from imagefactory.warehouse.store.replication import Replication
from imagefactory.warehouse.store.reserve import Reserve
from imagefactory.warehouse.store.trust import Trust

MIN_AGE = 600.0
"""Younger bodies that no object refers to may be those of a process that is about to commit, on another host, too."""
_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Change:
    """What shall become of one object."""

    bucket: str
    key: str
    attributes: Mapping[str, str | None]
    condition: Condition


class Store:
    """Buckets of objects in one database and one blob store; may be used by several threads and processes."""

    def __init__(self, metadata: MetadataStore, blobs: BlobStore, now: Callable[[], float], reserve: Reserve) -> None:
        self.metadata = metadata
        self._reserve = reserve
        self.blobs = blobs
        self.trust = Trust(now)
        self.replication = Replication(metadata, now)
        self._now = now

    def close(self) -> None:
        """Let go of everything."""
        self.blobs.close()
        self.metadata.close()

    def sweep(self, min_age: float = MIN_AGE) -> int:
        """Remove what killed processes left behind.

        Args:
            min_age: seconds for which a body that no object refers to is left alone.

        Returns:
            How many files went.
        """
        return self.blobs.sweep_unfinished() + self.blobs.sweep_orphans(self._known, self._now() - min_age)

    def _known(self, ids: Collection[str]) -> set[str]:
        with self.metadata.write() as transaction:  # waits for a process that has just placed a blob
            return transaction.known_blobs() & set(ids)

    def create_bucket(self, name: str) -> bool:
        """Make it; False if it is there."""
        names.check_bucket(name)
        with self.metadata.write() as transaction:
            made = transaction.create_bucket(name)
            if made:
                defaults = transaction.obtain(name, names.DEFAULTS, self._now())
                transaction.set_attributes(defaults.id, {"_policy": "0"})  # copy nothing, as in iwhd
            return made

    def buckets(self) -> list[str]:
        """All names, in order."""
        with self.metadata.read() as transaction:
            return transaction.bucket_names()

    def delete_bucket(self, name: str) -> bool:
        """Remove an empty one; False if there is none, Conflict if it is not empty."""
        with self.metadata.write() as transaction:
            return transaction.delete_bucket(name)

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes | Incoming | None,
        attributes: Mapping[str, str | None],
        condition: Condition = always,
    ) -> StoredObject:
        """Set body (None: leave it) and attributes in one transaction. An `Incoming` is placed, or else discarded."""
        incoming = self._receive(body) if isinstance(body, bytes) else body
        change = _Change(bucket, key, attributes, condition)
        try:
            names.check_all(key, attributes)
            return self._replace(change, incoming) if incoming else self._annotate(change)
        finally:
            if incoming:
                incoming.discard()

    def _receive(self, body: bytes) -> Incoming:
        incoming = self.blobs.receive()
        try:
            incoming.write(body)
        except BaseException:
            incoming.discard()
            raise
        return incoming

    def _annotate(self, change: _Change) -> StoredObject:
        with self.metadata.write() as transaction:
            stored = self._begin(transaction, change)
            transaction.enqueue_copies(stored)
            return stored

    def _begin(self, transaction: MetadataTransaction, change: _Change) -> StoredObject:
        _check(transaction, transaction.find(change.bucket, change.key), change.condition)
        stored = transaction.obtain(change.bucket, change.key, self._now())
        transaction.set_attributes(stored.id, change.attributes)
        return stored

    def _replace(self, change: _Change, incoming: Incoming) -> StoredObject:
        new = incoming.finish()
        unused: set[str] = {new.id}  # if the transaction fails
        try:
            with self.metadata.write() as transaction:
                before = transaction.find(change.bucket, change.key)
                stored = self._begin(transaction, change)
                kept, gone = self._settle(transaction, incoming)
                modified = self._modified(before, kept)
                transaction.set_body(stored, kept.id, modified)
                old = stored.blob
                if old is not None and transaction.drop_unused(old.id):
                    gone.add(old.id)
                stored = replace(stored, blob=kept, modified=modified)
                transaction.enqueue_copies(stored)
            unused = gone
            return stored
        finally:
            for id in unused:
                self.blobs.remove(id)

    def _modified(self, before: StoredObject | None, new: Blob) -> float:
        """When the body changed: two bodies of one object never have a second in common, which is all HTTP tells."""
        now = self._now()
        if before is None or before.blob is None:
            return now
        return max(now, before.modified if before.etag == new.etag else floor(before.modified) + 1)

    def _settle(self, transaction: MetadataTransaction, incoming: Incoming) -> tuple[Blob, set[str]]:
        """The blob for what came in, and those whose files may go when the transaction is through.

        An equal one is taken instead only if it was found intact lately; else the new one takes its place in all
        objects: it was hashed just now, so that storing a body again heals it wherever it is.
        """
        new = incoming.finish()
        same = transaction.same_body(new)
        if same is not None and self._is_intact(same):
            return same, set()
        if same is not None:  # equal in one digest is equal: what is known of the old one holds for the new
            new = replace(new, sha256=new.sha256 or same.sha256, content=new.content or same.content)
        transaction.add_blob(new)
        incoming.place()
        if incoming.proven:
            with closing(self.blobs.open(new.id)) as reader:
                self.trust.add(new, reader)
        if same is None:
            return new, set()
        transaction.supersede(same.id, new.id)
        return new, {same.id}

    def _is_intact(self, blob: Blob) -> bool:
        if blob.damaged:
            return False
        with suppress(NotFound), closing(self.blobs.open(blob.id)) as reader:
            return reader.size == blob.size and self.trust.holds(blob, reader)
        return False

    def annotate(
        self, bucket: str, key: str, attributes: Mapping[str, str | None], condition: Condition = always
    ) -> StoredObject:
        """As `put` without a body; makes the bucket, too, if there is none. InvalidInput for keys that are not listed,
        but for the bucket's defaults."""
        names.check_all(key, attributes)
        if key in names.RESERVED_KEYS and key != names.DEFAULTS:
            raise InvalidInput("this key is reserved", where=key)
        if not self.has_bucket(bucket):
            condition(None, dict)
            self.create_bucket(bucket)
        return self.put(bucket, key, None, attributes, condition)

    def delete_attribute(self, bucket: str, key: str, name: str, condition: Condition = always) -> bool:
        """Remove an attribute; False if there was none."""
        with self.metadata.write() as transaction:
            stored = transaction.find(bucket, key)
            _check(transaction, stored, condition)
            if stored is None or not transaction.remove_attribute(stored.id, name):
                return False
            transaction.enqueue_copies(transaction.obtain(bucket, key, self._now()))
            return True

    def adopt(
        self, bucket: str, key: str, path: Path, attributes: Mapping[str, str], content: str = "", *, keep: bool = False
    ) -> StoredObject:
        """As `put` with a local file as body, gone from `path` afterwards unless it is to be kept."""
        with plain_errors(path):
            stored = self.put(bucket, key, self.blobs.adopt(path, content), attributes)
            if not keep:
                path.unlink(missing_ok=True)
        return stored

    def find(self, bucket: str, key: str) -> StoredObject | None:
        """The object, if there is one."""
        with self.metadata.read() as transaction:
            return transaction.find(bucket, key)

    def describe(self, bucket: str, key: str) -> tuple[StoredObject, dict[str, str]] | None:
        """The object with its attributes, if there is one."""
        with self.metadata.read() as transaction:
            stored = transaction.find(bucket, key)
            return None if stored is None else (stored, transaction.attributes(stored.id))

    def attributes_of(self, bucket: str, keys: Sequence[str], wanted: Sequence[str]) -> dict[str, dict[str, str]]:
        """Some attributes (all, if none is named) of several objects, by key."""
        with self.metadata.read() as transaction:
            return transaction.attributes_of(bucket, keys, wanted)

    def attribute(self, bucket: str, key: str, name: str) -> str:
        """One attribute, computed ones included; empty if there is none."""
        with self.metadata.read() as transaction:
            return transaction.read_attribute(bucket, key, name)

    def open(self, bucket: str, key: str) -> tuple[StoredObject, Reader] | None:
        """The object and its open body; None without a body. A body replaced meanwhile stays readable."""
        for _ in range(_TRIES):
            stored = self.find(bucket, key)
            if stored is None or stored.blob is None:
                return None
            with suppress(NotFound):  # replaced between the two steps: look again
                return stored, self.blobs.open(stored.blob.id)
        raise FactoryError("the body is lost", where=f"{bucket}/{key}", hint="store it again")

    def mark_damaged(self, blob_id: str) -> None:
        """The blob's content is not what was stored: it is not given out any more, until it is stored again."""
        with self.metadata.write() as transaction:
            transaction.mark_damaged(blob_id)

    def delete(self, bucket: str, key: str, condition: Condition = always) -> bool:
        """Remove body and attributes; False if there was nothing. The defaults of a bucket stay."""
        if key in names.RESERVED_KEYS:
            return False
        return self._reserve.helped(lambda: self._delete(bucket, key, condition))

    def _delete(self, bucket: str, key: str, condition: Condition) -> bool:
        with self.metadata.write() as transaction:
            stored = transaction.find(bucket, key)
            _check(transaction, stored, condition)
            if stored is None:
                return False
            transaction.remove(stored.id)
            gone = stored.blob if stored.blob and transaction.drop_unused(stored.blob.id) else None
        if gone is not None:
            self.blobs.remove(gone.id)
        return True

    def keys(self, bucket: str, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
        """Keys in byte order."""
        with self.metadata.read() as transaction:
            return transaction.keys(bucket, prefix, after, limit)

    def query(self, bucket: str, expression: str, after: str = "", limit: int | None = None) -> list[str]:
        """Keys of the selected objects, in byte order."""
        with self.metadata.read() as transaction:
            return transaction.query(bucket, expression, after, limit)

    def usage(self) -> Usage:
        """How much is stored."""
        free = self.blobs.free()
        with self.metadata.read() as transaction:
            return transaction.usage(free)

    def has_bucket(self, name: str) -> bool:
        """Whether there is such a bucket."""
        with self.metadata.read() as transaction, suppress(NotFound):
            transaction.demand_bucket(name)
            return True
        return False


def _check(transaction: MetadataTransaction, stored: StoredObject | None, condition: Condition) -> None:
    condition(stored, lambda: transaction.attributes(stored.id) if stored else {})
