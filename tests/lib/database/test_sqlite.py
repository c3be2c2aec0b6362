"""A shared SQLite file: made, migrated, refused, and what is said when it does not work."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.database.sqlite import Database, DatabaseKind, opening
from imagefactory.lib.errors import Conflict, FactoryError, NoSpace, Unavailable

FIRST = ("CREATE TABLE thing (name TEXT PRIMARY KEY)",)
SECOND = ("ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 7",)


def kind(*migrations: tuple[str, ...], busy: int = 0) -> DatabaseKind:
    """A file of things."""
    return DatabaseKind(
        "the box", "box_dir", migrations or (FIRST, SECOND), busy, durable=True, relief="throw some away"
    )


class SqliteTestCase(SynchronousTestCase):
    """A file whose name an URL would have to quote."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "box #1?.db"

    def open(self, kind: DatabaseKind | None = None) -> Database:
        """The file, closed after the test."""
        database = Database(self.path, kind or KIND)
        self.addCleanup(database.close)
        return database

    def refused(self, error: type[FactoryError]) -> FactoryError:
        """What opening it says; its path is in it."""
        raised = self.assertRaises(error, self.open)
        self.assertEqual(raised.where, str(self.path))
        return raised


KIND = kind()


class FileTests(SqliteTestCase):
    """The file."""

    def test_it_is_for_its_owner_alone(self) -> None:
        """So are the files that SQLite puts beside it."""
        with self.open().write() as connection:
            connection.exec_driver_sql("INSERT INTO thing (name) VALUES ('a')")
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.path.parent.iterdir()}
        self.assertEqual(modes.keys(), {self.path.name, f"{self.path.name}-wal", f"{self.path.name}-shm"})
        self.assertEqual(set(modes.values()), {0o600})

    def test_migration(self) -> None:
        """An older file gets the steps that it has not had, once, and keeps its rows."""
        with self.open(kind(FIRST)).write() as connection:
            connection.exec_driver_sql("INSERT INTO thing (name) VALUES ('a')")
        for _ in range(2):
            with self.open().read() as connection:
                self.assertEqual(connection.exec_driver_sql("SELECT * FROM thing").all(), [("a", 7)])

    def test_a_migration_that_fails_changes_nothing(self) -> None:
        """It is tried again by the next start."""
        self.open(kind(FIRST))
        self.assertRaises(Unavailable, self.open, kind(FIRST, (*SECOND, "OOPS")))
        self.open()

    def test_from_the_future(self) -> None:
        """A newer program's file is left alone."""
        self.open()
        with sqlite3.connect(self.path) as connection:
            connection.execute("PRAGMA user_version = 99")
        error = self.refused(Conflict)
        self.assertIn("the box has schema version 99; this program knows up to 2", str(error))
        self.assertIn("box_dir", error.hint)


class SharingTests(SqliteTestCase):
    """Transactions of several connections."""

    def test_one_writer(self) -> None:
        """A second one is told after its time; a reader sees what was before, and is not held up."""
        database = self.open()
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO thing (name) VALUES ('a')")
            with database.read() as reader:
                self.assertEqual(reader.exec_driver_sql("SELECT count(*) FROM thing").scalar(), 0)
            error = self.assertRaises(Unavailable, database.write().__enter__)
        self.assertIn("locked", str(error))

    def test_writers_of_a_process_take_turns(self) -> None:
        """SQLite, which would poll, is not asked before the other writer has ended; then the next one writes."""
        database, begun = self.open(), list[object]()
        note = begun.append
        event.listen(Engine, "begin", note)
        self.addCleanup(event.remove, Engine, "begin", note)
        with database.write():
            with self.assertRaises(Unavailable), database.write():
                pass
            self.assertEqual(len(begun), 1)
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO thing (name) VALUES ('next')")
        self.assertEqual(len(begun), 2)

    def test_a_writer_that_fails_has_written_nothing(self) -> None:
        """Neither with our errors nor with others; what we did wrong is not called the file's fault."""
        database = self.open()
        for _ in range(2):
            with self.assertRaises(IntegrityError), database.write() as connection:
                connection.exec_driver_sql("INSERT INTO thing (name) VALUES ('a')")
                connection.exec_driver_sql("INSERT INTO thing (name) VALUES ('a')")


class TroubleTests(SqliteTestCase):
    """Files and file systems that do not work."""

    def test_full(self) -> None:
        """The database's words and the system's are the same error; what there was stays."""
        database = self.open()
        with database.read() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with self.assertRaises(NoSpace) as caught, database.write() as connection:
            for number in range(50):
                connection.exec_driver_sql(f"INSERT INTO thing (name) VALUES ('{number:04000}')")
        self.assertEqual(caught.exception.hint, "throw some away")
        with self.assertRaises(NoSpace), opening(self.path, KIND):
            raise OSError(28, "No space left on device")

    def test_rubbish(self) -> None:
        """A file that is no database is not overwritten."""
        self.path.parent.mkdir()
        self.path.write_bytes(b"rubbish" * 1000)
        self.assertIn("damaged", str(self.refused(Unavailable)))
        self.assertEqual(self.path.read_bytes(), b"rubbish" * 1000)

    def test_no_directory(self) -> None:
        """It is said which setting would help."""
        self.path.parent.write_bytes(b"a file where the directory should be")
        error = self.refused(Unavailable)
        self.assertEqual(error.message, "the box cannot be written")
        self.assertIn("set box_dir", error.hint)
