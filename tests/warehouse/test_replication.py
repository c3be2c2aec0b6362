"""Copies to other warehouses and directories: the worker, its queue and its patience."""

import os
from typing import Any
from unittest.mock import patch

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict
from imagefactory.testing.bad_server import Act, BadServer
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.client import RemoteWarehouse, WarehouseAddress
from imagefactory.warehouse.copies import CopyDirectory
from imagefactory.warehouse.replication import Replicator
from imagefactory.warehouse.store.database import open_database
from imagefactory.warehouse.store.embedded import open_store
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.providers import ReplicationProvider
from tests.warehouse.client.places import World, new_clock, our_site
from tests.warehouse.places import fresh_directory


class ReplicationTests(SynchronousTestCase):
    """A store whose bucket `b` is to be copied to everybody."""

    def setUp(self) -> None:
        self.clock: Clock = new_clock()
        self.directory = fresh_directory(self)
        self.there = our_site(self, self.clock)
        self.world = World(self.there, self.clock, wait=0)
        self.places: list[WarehouseAddress] = []
        self.silent = BadServer(self.clock, *[Act()] * 100)
        self.begin()

    def begin(self) -> None:
        """Open the store and start the worker, as after a restart."""
        self.store = open_store(self.directory / "warehouse", self.clock.seconds)
        self.addCleanup(self.store.close)
        copies = CopyDirectory(self.directory)
        self.worker = Replicator(
            self.store, ImmediateThreads(), self.clock, self._connect, lambda: 0.0, directory=copies
        )
        self.worker.start()
        self.addCleanup(lambda: self.world.run(self.worker.stop()))

    async def _connect(self, place: WarehouseAddress) -> RemoteWarehouse:
        self.places.append(place)
        if "[" in place.url:
            raise ValueError("this is no URL")
        if place.url.startswith("http://silent"):
            return World(self.silent, self.clock, wait=0).warehouse
        return self.world.warehouse

    def has(self, provider: str, key: str = "k") -> bool:
        """Whether the provider, when asked, has the body."""
        return self.world.run(self.worker.has("b", key, provider))

    def ready(self, *providers: ReplicationProvider) -> Store:
        for provider in providers:
            self.store.replication.add(provider)
        self.store.create_bucket("b")
        self.store.annotate("b", "_default", {"_policy": "1"})
        return self.store

    def other(self) -> ReplicationProvider:
        return ReplicationProvider("other", "http", "copy.example", 9090, "key", "p-word")

    def copy(self, key: str = "k") -> Any:
        """What the other warehouse has: digest and attributes."""
        found = self.there.application.store.describe("b", key)
        return None if found is None else (found[0].blob and found[0].blob.sha256, found[1])

    def test_body_and_attributes(self) -> None:
        """The other warehouse gets both, and the store knows that it has; the policy stays here."""
        store = self.ready(self.other())
        stored = store.put("b", "k", b"body", {"target": "mock", "_policy": "1"})
        self.assertFalse(store.replication.has_copy("b", "k", "other"))
        self.world.advance(6)
        assert stored.blob is not None
        self.assertEqual(self.copy(), (stored.blob.sha256, {"target": "mock"}))
        self.assertTrue(store.replication.has_copy("b", "k", "other"))
        self.assertEqual(store.replication.waiting(), 0)
        self.assertEqual((self.places[0].url, self.places[0].copies), ("http://copy.example:9090", True))
        self.assertNotIn("p-word", repr(self.places))

    def test_changed_attributes(self) -> None:
        """Attributes follow without the body being sent again; removed ones go."""
        store = self.ready(self.other())
        store.put("b", "k", os.urandom(1 << 20), {"a": "1", "b": "2"})
        self.world.advance(6)
        before = self.there.application.metrics.received
        store.put("b", "k", None, {"a": "x", "b": None})
        self.world.advance(6)
        self.assertEqual(self.copy()[1], {"a": "x"})
        self.assertLess(self.there.application.metrics.received - before, 1000)

    def test_replaced_body(self) -> None:
        """A copy of what was there before is none."""
        store = self.ready(self.other())
        store.put("b", "k", b"old", {})
        self.world.advance(6)
        new = store.put("b", "k", b"new", {})
        self.assertFalse(store.replication.has_copy("b", "k", "other"))
        self.world.advance(6)
        assert new.blob is not None
        self.assertEqual(self.copy()[0], new.blob.sha256)

    def test_other_side_down(self) -> None:
        """It is tried again, later and later, and comes through in the end; the queue says so meanwhile."""
        store = self.ready(self.other())
        self.world.net.server = None
        store.put("b", "k", b"body", {})
        self.world.advance(300, step=5)
        self.assertEqual(store.replication.waiting(), 1)
        self.world.net.server = self.there
        self.world.advance(600, step=5)
        self.assertEqual(store.replication.waiting(), 0)
        self.assertIsNotNone(self.copy())

    def test_restart(self) -> None:
        """What was waiting is copied by the next process."""
        store = self.ready(self.other())
        self.world.net.server = None
        store.put("b", "k", b"body", {})
        self.world.advance(6)
        self.world.run(self.worker.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.world.net.server = self.there
        self.begin()
        self.world.advance(60)
        self.assertIsNotNone(self.copy())

    def test_directory(self) -> None:
        """A provider of type fs gets the body as a file, holes included."""
        store = self.ready(ReplicationProvider("disk", "fs", path=str(self.directory / "copies")))
        store.put("b", "a b", bytes(4 << 20) + b"end", {})
        self.world.advance(6)
        copy = self.directory / "copies" / "b" / "a b"
        self.assertEqual(copy.read_bytes(), bytes(4 << 20) + b"end")
        self.assertLess(copy.stat().st_blocks * 512, 1 << 20)
        self.assertEqual([path.name for path in copy.parent.iterdir()], ["a b"])

    def test_unusable_providers(self) -> None:
        """A provider that cannot be copied to, for any reason, keeps its copies waiting, and no others."""
        (self.directory / "file").write_bytes(b"")
        (self.directory / "link").symlink_to(self.directory / "elsewhere")
        (self.directory / "elsewhere").mkdir()
        bad = [
            ReplicationProvider("0", "fs", path=str(self.directory / "file")),
            ReplicationProvider("1", "fs", path=str(self.directory / "link")),
            ReplicationProvider("2", "fs", path=str(self.directory / "nul\0")),
            ReplicationProvider("3", "fs", path="/elsewhere"),
            ReplicationProvider("4", "http", "[", 9090),
            ReplicationProvider("5", "http", "silent.example", 9090),
        ]
        store = self.ready(*bad, self.other())
        for key in ("k", "l"):
            store.put("b", key, b"body", {})
        self.world.advance(10)
        self.assertEqual(store.replication.waiting(), 2 * len(bad))
        self.assertIsNotNone(self.copy("l"))
        self.assertEqual(list((self.directory / "elsewhere").iterdir()), [])

    def test_copies_are_private(self) -> None:
        """Only the owner reads a copy and the directories that were made for it, whatever the umask is."""
        self.addCleanup(os.umask, os.umask(0))
        self.ready(ReplicationProvider("disk", "fs", path=str(self.directory / "copies"))).put("b", "k", b"body", {})
        self.world.advance(6)
        copies = [self.directory / "copies", self.directory / "copies" / "b", self.directory / "copies" / "b" / "k"]
        self.assertEqual([oct(path.stat().st_mode & 0o777) for path in copies], ["0o700", "0o700", "0o600"])

    def test_this_store_is_no_other(self) -> None:
        """Another primary provider is copied to like any; this store never is, and cannot be made another place."""
        store = self.ready(self.other())
        self.assertTrue(store.replication.make_main("other"))
        store.put("b", "k", b"body", {})
        self.assertEqual(store.replication.due(), ["other"])
        self.assertFalse(self.has("other"))
        self.world.advance(6)
        self.assertTrue(self.has("other"))
        self.assertTrue(self.has("primary"))
        self.assertRaises(Conflict, store.replication.add, ReplicationProvider("primary", "http", "copy.example", 9090))
        self.assertFalse(store.replication.remove("primary"))

    def test_a_copy_that_is_gone(self) -> None:
        """Whether a copy is there is asked of those who have it."""
        store = self.ready(self.other(), ReplicationProvider("disk", "fs", path=str(self.directory / "copies")))
        store.put("b", "k", b"body", {})
        self.world.advance(6)
        self.assertTrue(self.has("other") and self.has("disk"))
        self.there.application.store.put("b", "k", b"changed", {})
        (self.directory / "copies" / "b" / "k").unlink()
        self.assertFalse(self.has("other") or self.has("disk"))
        self.there.application.store.delete("b", "k")
        self.assertFalse(self.has("other") or self.has("none") or self.has("other", "none"))

    def test_a_provider_that_is_another_place_now(self) -> None:
        """It has nothing yet; the connections to the old place are closed."""
        store = self.ready(self.other())
        store.put("b", "k", b"body", {})
        self.world.advance(6)
        closed: list[bool] = []

        async def close() -> None:
            closed.append(True)

        with patch.object(self.world.warehouse, "close", close):
            store.replication.add(ReplicationProvider("other", "http", "new.example", 9090))
            self.assertFalse(store.replication.has_copy("b", "k", "other"))
            self.world.advance(6)
        self.assertEqual(closed, [True])

    def test_the_clock_is_set_back(self) -> None:
        """What was put off by a clock that was days ahead is due."""
        store = self.ready(self.other())
        self.world.net.server = None
        store.put("b", "k", b"body", {})
        self.world.advance(6)
        self.world.net.server = self.there
        database = open_database(self.directory / "warehouse")
        self.addCleanup(database.close)
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE replication SET due = due + 86400")
        self.world.advance(6)
        self.assertIsNotNone(self.copy())

    def test_deleted_meanwhile(self) -> None:
        """What is gone is not waited for."""
        store = self.ready(self.other())
        store.put("b", "k", b"body", {})
        store.delete("b", "k")
        self.world.advance(6)
        self.assertEqual(store.replication.waiting(), 0)
        self.assertIsNone(self.copy())

    def test_unknown_kind_of_place(self) -> None:
        """There are no copies to s3 yet: it is said, not waited for, and no copy is claimed."""
        store = self.ready(ReplicationProvider("cloud", "s3", "s3.example", 443, "k", "s"))
        store.put("b", "k", b"body", {})
        self.world.advance(6)
        self.assertEqual(store.replication.waiting(), 0)
        self.assertFalse(store.replication.has_copy("b", "k", "cloud"))
