"""The store: atomic, shared by processes, clean after a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.database.sqlite import Database
from imagefactory.lib.errors import Conflict, NoSpace, Unavailable
from imagefactory.warehouse.store import incoming, objects, open_store, search
from imagefactory.warehouse.store.database import open_database
from imagefactory.warehouse.store.directory import DirectoryBlobs
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.reserve import Reserve
from imagefactory.warehouse.store.schema import WAREHOUSE
from imagefactory.warehouse.store.sqlite_metadata import SqliteMetadata
from tests.warehouse.places import fresh_directory

FULL = 2
WRITER = """
import sys
from pathlib import Path
from imagefactory.warehouse.store import open_store
store = open_store(Path(sys.argv[1]))
for turn in range(25):
    store.put("b", f"k{turn % 5}", b"same" * (turn % 3 + 1), {"writer": sys.argv[2]})
    if turn % 7 == 0:
        store.delete("b", f"k{turn % 5}")
store.close()
"""
HOLDER = """
import sys
from pathlib import Path
from imagefactory.warehouse.store import open_store
store = open_store(Path(sys.argv[1]))
incoming = store.blobs.receive()
incoming.write(b"x" * 100_000)
print("ready", flush=True)
sys.stdin.read()
"""


class StoreTestCase(SynchronousTestCase):
    """A store with the bucket b."""

    def setUp(self) -> None:
        self.directory = fresh_directory(self)
        self.path = self.directory / "warehouse"
        self.store = self.open()
        self.store.create_bucket("b")
        self.database = open_database(self.path)
        self.addCleanup(self.database.close)

    def open(self) -> Store:
        """The store in the test's directory."""
        store = open_store(self.path)
        self.addCleanup(store.close)
        return store

    def files(self) -> list[Path]:
        """All bodies, on their way or stored."""
        return [path for path in self.path.rglob("*") if path.is_file() and len(path.name) == 32]


class ProcessTests(StoreTestCase):
    """Several processes, some of them dead."""

    def run_python(self, program: str, *arguments: str, **more: object) -> subprocess.Popen[bytes]:
        """A process of its own."""
        return subprocess.Popen([sys.executable, "-c", program, str(self.path), *arguments], **more)  # type: ignore[call-overload]

    def test_two_writers(self) -> None:
        """Processes that store and delete the same bodies leave exactly what is referred to."""
        writers = [self.run_python(WRITER, name) for name in "xy"]
        self.assertEqual([writer.wait(60) for writer in writers], [0, 0])
        kept = set()
        for key in self.store.keys("b"):
            opened = self.store.open("b", key)
            assert opened is not None
            self.assertEqual(opened[1].read(0, 99)[:4], b"same")
            opened[1].close()
            assert opened[0].blob is not None
            kept.add(opened[0].blob.id)
        self.assertEqual({path.name for path in self.files()}, kept)

    def test_sweep(self) -> None:
        """What a killed process left goes at the next start; what a living one is writing stays."""
        living = self.store.blobs.receive()
        self.addCleanup(living.discard)
        living.write(b"y" * 100_000)
        dead = self.run_python(HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert dead.stdout is not None
        self.assertEqual(dead.stdout.readline(), b"ready\n")
        self.assertEqual(len(self.files()), 2)
        self.assertEqual(self.store.sweep(), 0)
        dead.kill()
        dead.communicate()
        self.assertEqual(self.open().sweep(), 0)  # opening it has swept
        self.assertEqual(len(self.files()), 1)

    def test_sweep_waits(self) -> None:
        """A body that was placed in a transaction that is still open is no orphan: sweeping waits for it."""
        impatient = Database(self.path / "warehouse.db", replace(WAREHOUSE, busy=0))
        self.addCleanup(impatient.close)
        received = self.store.blobs.receive()
        received.write(b"body")
        blob = received.finish()
        with self.database.write() as connection:
            objects.add_blob(connection, blob)
            received.place()
            self.assertRaises(
                Unavailable,
                Store(SqliteMetadata(impatient), self.store.blobs, time.time, Reserve(self.path / "r")).sweep,
                -1,
            )
        self.store.blobs.open(blob.id).close()

    def test_orphan_bodies(self) -> None:
        """A body that no object came to own is swept."""
        self.store.put("b", "k", b"owned", {})
        orphan = self.path / "blobs" / "ab" / "cd" / ("abcd" + "0" * 28)
        orphan.parent.mkdir(parents=True)
        orphan.write_bytes(b"x")
        self.assertEqual(self.store.sweep(), 0)  # it may be one that is about to be owned
        self.assertEqual(self.store.sweep(min_age=-1), 1)
        self.assertEqual(len(self.files()), 1)

    def test_opening_looks_at_all_bodies_once_a_day(self) -> None:
        """A command that is started again and again does not; what a killed process was writing goes all the same."""
        looked: list[object] = []

        def look(*arguments: object) -> int:
            looked.append(arguments)
            return 0

        (self.path / "swept").unlink()
        with patch.object(DirectoryBlobs, "sweep_orphans", look):
            for expected, sweep, now in ((1, False, 0.0), (1, False, 1.0), (2, True, 1.0), (3, False, 90_000.0)):
                open_store(self.path, lambda: time.time() + now, sweep=sweep).close()  # noqa: B023 - called at once
                self.assertEqual(len(looked), expected)


class FaultTests(StoreTestCase):
    """What goes wrong changes nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.store.put("b", "k", b"old", {"a": "1"})

    def unchanged(self) -> None:
        """All is as it was."""
        found = self.store.describe("b", "k")
        assert found is not None
        assert found[0].blob is not None
        self.assertEqual((found[1], found[0].blob.size, len(self.files())), ({"a": "1"}, 3, 1))

    def test_transaction_fails(self) -> None:
        """A failure after the body is in place takes body and attributes back."""
        with patch.object(objects, "set_body", side_effect=RuntimeError("oops")):
            self.assertRaises(RuntimeError, self.store.put, "b", "k", b"new", {"a": "2"})
        self.unchanged()

    def test_no_space(self) -> None:
        """A full disk is NoSpace, and the file to adopt stays where it was."""
        image = self.directory / "image"
        image.write_bytes(b"x" * 1000)
        with patch.object(os, "fsync", side_effect=OSError(28, "No space left on device")):
            self.assertRaises(NoSpace, self.store.put, "b", "k", b"new", {"a": "2"})
            self.assertRaises(NoSpace, self.store.adopt, "b", "k", image, {"a": "2"})
        self.assertTrue(image.exists())
        self.unchanged()

    def test_deleting_on_a_full_disk(self) -> None:
        """The room that is kept for that is used, and kept again; without any it is NoSpace."""
        reserve, remove = self.path / "reserve", objects.remove
        self.assertGreaterEqual(reserve.stat().st_blocks * 512, 1 << 20)

        def full(*arguments: Any) -> None:
            if reserve.exists():
                raise NoSpace("full")
            remove(*arguments)

        with patch.object(objects, "remove", full):
            self.assertTrue(self.store.delete("b", "k"))
        self.assertIsNone(self.store.find("b", "k"))
        self.assertGreaterEqual(reserve.stat().st_blocks * 512, 1 << 20)
        self.store.put("b", "k", b"body", {})
        with patch.object(objects, "remove", side_effect=NoSpace("full")):
            self.assertRaises(NoSpace, self.store.delete, "b", "k")
        self.assertIsNotNone(self.store.find("b", "k"))

    def test_condition(self) -> None:
        """A condition that does not hold stops everything."""

        def refuse(_stored: object, _attributes: object) -> None:
            raise Conflict("no")

        self.assertRaises(Conflict, self.store.put, "b", "k", b"new", {"a": "2"}, refuse)
        self.unchanged()

    def test_power_cut(self) -> None:
        """What was answered is on the disk: the name of a body in its new directories, and the transaction."""
        with patch.object(incoming, "synchronise") as synchronised:
            self.store.put("b", "k", b"new", {})
        (file,) = self.files()
        places = [file.parent, file.parent.parent, file.parent.parent.parent]
        self.assertEqual([call.args[0] for call in synchronised.call_args_list], places)
        with self.database.read() as connection:
            self.assertEqual(connection.exec_driver_sql("PRAGMA synchronous").scalar_one(), FULL)

    def test_broken_database(self) -> None:
        """A database that does not work is Unavailable, with its path."""
        with self.database.write() as connection:
            connection.exec_driver_sql("DROP TABLE attribute")
        self.assertIn("warehouse.db", str(self.assertRaises(Unavailable, self.store.describe, "b", "k")))

    def test_from_the_future(self) -> None:
        """A newer program's warehouse is not touched."""
        with self.database.write() as connection:
            connection.exec_driver_sql("PRAGMA user_version = 99")
        self.assertRaises(Conflict, open_store, self.path)

    def test_open_again(self) -> None:
        """All is there after closing and opening; nothing is lost by migrating twice."""
        self.store.close()
        self.store = open_store(self.path)
        self.unchanged()

    def test_from_before_content(self) -> None:
        """Bodies of a store that knew no digest without holes keep what they have."""
        before = self.store.find("b", "k")
        with self.database.write() as connection:
            connection.exec_driver_sql("DROP INDEX blob_by_content")
            connection.exec_driver_sql("ALTER TABLE blob DROP COLUMN content")
            connection.exec_driver_sql("PRAGMA user_version = 2")
        self.store.close()
        self.store = open_store(self.path)
        self.unchanged()
        self.assertEqual(self.store.find("b", "k"), before)


class ScaleTests(StoreTestCase):
    """Many objects."""

    def fill(self, count: int) -> None:
        """So many objects; each build has two, every second one has the target mock."""
        with self.database.write() as connection:
            for number in range(count):
                stored = objects.obtain(connection, "b", f"k{number:06}", 0)
                values = {"build": f"b-{number // 2}", "target": ("ec2", "mock")[number % 2], "uuid": f"u-{number}"}
                objects.set_attributes(connection, stored.id, dict(values))

    def steps(self, expression: str, **more: int) -> int:
        """How many tens of SQLite's steps the answer to a query takes."""
        turns: list[None] = []
        with self.database.read() as connection:
            search.query(connection, "b", expression)  # what is prepared once is not counted
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(lambda: turns.append(None), 10)
            search.query(connection, "b", expression, **more)
            driver.set_progress_handler(None, 10)
        return len(turns)

    def test_indexed_query(self) -> None:
        """A conjunction is found among thousands of objects without looking at each."""
        self.fill(3000)
        conjunction = '$build == "b-700" && $target == "mock"'
        self.assertEqual(self.store.query("b", conjunction), ["k001401"])
        self.assertEqual(len(self.store.query("b", '$target != "ec2"')), 1500)
        for expression in ('$build == "b-700"', conjunction, f"{conjunction} && $uuid", '$build == "b-700" && !$x'):
            self.assertLess(self.steps(expression), 1500, expression)
        self.assertGreater(self.steps('$target != "ec2"'), 3000)
