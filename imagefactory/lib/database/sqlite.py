"""One SQLite file, shared by several threads and processes.

`PRAGMA user_version` of the file counts the migrations that it has had.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError

from imagefactory.lib.errors import Conflict, FactoryError, NoSpace, Unavailable
from imagefactory.lib.files.space import is_full

_INCREMENTAL = 2
#: Texts by which SQLite and the system report that they may not write.
_NOT_WRITABLE = ("readonly", "unable to open", "Permission", "Read-only", "Not a directory", "File exists")


@dataclass(frozen=True, slots=True)
class DatabaseKind:
    """What a database file is for, and how it is kept.

    Args:
        name: how error messages call it.
        setting: the setting that names its directory.
        migrations: the statements of step n make version n of version n - 1; a released step is never changed.
        busy: seconds for which a process waits for another one that writes.
        durable: whether what was committed survives a power cut, not only the end of a process.
        relief: the hint for a full file system.
        shrinks: whether `give_back` returns the space of deleted rows to the file system.
    """

    name: str
    setting: str
    migrations: tuple[tuple[str, ...], ...]
    busy: int
    durable: bool
    relief: str
    shrinks: bool = False


class Database:
    """Transactions over the file at `path`, which is made (for its owner alone) or brought to the newest version.

    A writer takes the write lock when it begins, so that what it reads is still true when it writes, and waits for
    others: a read that became a write would fail at once. A reader sees one state throughout and waits for no writer
    (WAL). Blocks. Raises NoSpace, Unavailable, and Conflict for a file of a newer program.
    """

    def __init__(self, path: Path, kind: DatabaseKind) -> None:
        self._path = path
        self._kind = kind
        with opening(path, kind):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # the files that SQLite puts beside it get the same mode
        url = URL.create("sqlite", database=str(path))
        self._engine = create_engine(url, connect_args={"timeout": kind.busy}, max_overflow=30)
        self._writing = self._engine.execution_options(write=True)
        self._turn = Lock()
        event.listen(self._engine, "connect", self._tune)
        event.listen(self._engine, "begin", _begin)
        try:
            with self.write() as connection:
                migrate(connection, path, kind)
            self._prepare_to_shrink()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads one consistent state."""
        with plain_errors(self._path, self._kind), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when left without error.

        Writers of this process take turns by a lock: SQLite itself asks again and again whether the other one has
        ended, with pauses that grow to a tenth of a second, and the one that came first may be the last.
        """
        if not self._turn.acquire(timeout=self._kind.busy):
            raise _in_words("database is locked", self._path, self._kind)
        try:
            with plain_errors(self._path, self._kind), self._writing.begin() as connection:
                yield connection
        finally:
            self._turn.release()

    def give_back(self) -> None:
        """Return free pages to the file system."""
        with plain_errors(self._path, self._kind), self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.executescript("PRAGMA incremental_vacuum")  # execute() would let go of a single page

    def _prepare_to_shrink(self) -> None:
        """Rewrite a file of an older version once, or at a later start if other processes use it now."""
        with plain_errors(self._path, self._kind), self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            if self._kind.shrinks and driver.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
                driver.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
                with suppress(sqlite3.OperationalError):
                    driver.execute("VACUUM")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _tune(self, connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: _begin does
        if self._kind.shrinks:
            connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")  # counts for a new file only
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._kind.durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def migrate(connection: Connection, path: Path, kind: DatabaseKind) -> None:
    """Bring the database to the newest version, inside the caller's transaction; Conflict if it is of a later one."""
    version, newest = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one()), len(kind.migrations)
    if version > newest:
        raise Conflict(
            f"{kind.name} has schema version {version}; this program knows up to {newest}",
            where=str(path),
            hint=f"use the newer version of this program, or another {kind.setting}",
        )
    for statements in kind.migrations[version:]:
        for statement in statements:
            connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA user_version = {newest}")


@contextmanager
def plain_errors(path: Path, kind: DatabaseKind) -> Iterator[None]:
    """Turn errors of SQLite, and a full file system, into NoSpace and Unavailable.

    Errors in our statements are raised as they are.
    """
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise
    except DatabaseError as error:
        raise _in_words(str(error.orig), path, kind) from error
    except OSError as error:
        if not is_full(error):
            raise
        raise no_space(path, kind) from error


@contextmanager
def opening(path: Path, kind: DatabaseKind) -> Iterator[None]:
    """As `plain_errors` while files and directories are made; every OSError is turned into one of ours."""
    try:
        with plain_errors(path, kind):
            yield
    except OSError as error:
        raise _in_words(str(error), path, kind) from error


def no_space(path: Path, kind: DatabaseKind) -> NoSpace:
    """The error for a full file system."""
    return NoSpace(f"no space is left for {kind.name}", where=str(path), hint=kind.relief)


def _in_words(text: str, path: Path, kind: DatabaseKind) -> FactoryError:
    if "full" in text:
        return no_space(path, kind)
    if any(word in text for word in _NOT_WRITABLE):
        hint = f"make {path.parent} writable for this user, or set {kind.setting} to a directory that is"
        return Unavailable(f"{kind.name} cannot be written", where=str(path), hint=hint)
    if "not a database" in text or "malformed" in text:
        hint = "restore it from a backup, or move it away to begin with an empty one"
        return Unavailable(f"{kind.name} is damaged ({text})", where=str(path), hint=hint)
    return Unavailable(f"{kind.name} does not work: {text}", where=str(path), hint="is another process stuck in it?")
