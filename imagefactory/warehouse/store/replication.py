"""The providers and the queue of copies, each operation in a transaction of its own. Blocks."""

from __future__ import annotations

from collections.abc import Callable

from imagefactory.lib.database.sqlite import Database
from imagefactory.warehouse.store import objects, queue
from imagefactory.warehouse.store import providers as rows
from imagefactory.warehouse.store.providers import ReplicationProvider
from imagefactory.warehouse.store.queue import Copy


class Replication:
    """What the replication worker and the API's control operations need."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    def providers(self) -> list[ReplicationProvider]:
        """All, by name, passwords included."""
        with self._database.read() as connection:
            return rows.providers(connection)

    def add(self, new: ReplicationProvider) -> None:
        """Make a provider known, or change what is known of it; Conflict for this store itself."""
        with self._database.write() as connection:
            rows.add_provider(connection, new)

    def remove(self, name: str) -> bool:
        """Forget a provider; False for an unknown one, the main one and this store itself."""
        with self._database.write() as connection:
            return rows.remove_provider(connection, name)

    def make_main(self, name: str) -> bool:
        """Make it the main one; False if it is unknown."""
        with self._database.write() as connection:
            return rows.make_main(connection, name)

    def push(self, bucket: str, key: str) -> None:
        """Ask the policy again for one object; nothing happens if there is none."""
        with self._database.write() as connection:
            stored = objects.find(connection, bucket, key)
            if stored is not None:
                rows.consider(connection, stored)

    def has_copy(self, bucket: str, key: str, name: str) -> bool:
        """Whether the provider was given the body as it is now."""
        with self._database.read() as connection:
            stored = objects.find(connection, bucket, key)
            return stored is not None and queue.has_copy(connection, name, stored)

    def waiting(self) -> int:
        """How many copies are still to be made."""
        with self._database.read() as connection:
            return queue.waiting(connection)

    def due(self) -> list[str]:
        """The providers that something is to be copied to now."""
        with self._database.read() as connection:
            return queue.due(connection, self._now())

    def next(self, provider: str | None = None) -> Copy | None:
        """The copy that is due longest, to one provider or to any; None if none is due now."""
        with self._database.read() as connection:
            return queue.next_copy(connection, self._now(), provider)

    def copied(self, done: Copy, sha256: str) -> None:
        """The provider has the body with this digest now."""
        with self._database.write() as connection:
            queue.copied(connection, done, sha256)

    def dropped(self, gone: Copy) -> None:
        """There is nothing to copy any more: object or provider are gone."""
        with self._database.write() as connection:
            queue.dropped(connection, gone)

    def postponed(self, failed: Copy, seconds: float, error: str) -> None:
        """It did not work; try again after `seconds`."""
        with self._database.write() as connection:
            queue.postponed(connection, failed, self._now() + seconds, error)
