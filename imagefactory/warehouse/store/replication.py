"""The providers and the queue of copies, each operation in a transaction of its own. Blocks."""

from __future__ import annotations

from collections.abc import Callable

from imagefactory.warehouse.store.metadata import MetadataStore
from imagefactory.warehouse.store.providers import ReplicationProvider
from imagefactory.warehouse.store.queue import Copy


class Replication:
    """What the replication worker and the API's control operations need."""

    def __init__(self, metadata: MetadataStore, now: Callable[[], float]) -> None:
        self._metadata = metadata
        self._now = now

    def providers(self) -> list[ReplicationProvider]:
        """All, by name, passwords included."""
        with self._metadata.read() as transaction:
            return transaction.providers()

    def add(self, new: ReplicationProvider) -> None:
        """Make a provider known, or change what is known of it; Conflict for this store itself."""
        with self._metadata.write() as transaction:
            transaction.add_provider(new)

    def remove(self, name: str) -> bool:
        """Forget a provider; False for an unknown one, the main one and this store itself."""
        with self._metadata.write() as transaction:
            return transaction.remove_provider(name)

    def make_main(self, name: str) -> bool:
        """Make it the main one; False if it is unknown."""
        with self._metadata.write() as transaction:
            return transaction.make_main(name)

    def push(self, bucket: str, key: str) -> None:
        """Ask the policy again for one object; nothing happens if there is none."""
        with self._metadata.write() as transaction:
            stored = transaction.find(bucket, key)
            if stored is not None:
                transaction.enqueue_copies(stored)

    def has_copy(self, bucket: str, key: str, name: str) -> bool:
        """Whether the provider was given the body as it is now."""
        with self._metadata.read() as transaction:
            stored = transaction.find(bucket, key)
            return stored is not None and transaction.has_copy(name, stored)

    def waiting(self) -> int:
        """How many copies are still to be made."""
        with self._metadata.read() as transaction:
            return transaction.waiting()

    def due(self) -> list[str]:
        """The providers that something is to be copied to now."""
        with self._metadata.read() as transaction:
            return transaction.due(self._now())

    def next(self, provider: str | None = None) -> Copy | None:
        """The copy that is due longest, to one provider or to any; None if none is due now."""
        with self._metadata.read() as transaction:
            return transaction.next_copy(self._now(), provider)

    def copied(self, done: Copy, sha256: str) -> None:
        """The provider has the body with this digest now."""
        with self._metadata.write() as transaction:
            transaction.copied(done, sha256)

    def dropped(self, gone: Copy) -> None:
        """There is nothing to copy any more: object or provider are gone."""
        with self._metadata.write() as transaction:
            transaction.dropped(gone)

    def postponed(self, failed: Copy, seconds: float, error: str) -> None:
        """It did not work; try again after `seconds`."""
        with self._metadata.write() as transaction:
            transaction.postponed(failed, self._now() + seconds, error)
