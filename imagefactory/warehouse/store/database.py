"""One SQLite file, shared by several threads and processes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from imagefactory.model.errors import FactoryError, NoSpace, Unavailable
from imagefactory.warehouse.store.schema import migrate

BUSY_SECONDS = 60
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Database:
    """Transactions over the file at `path`.

    A writer takes the write lock when it begins, so that what it reads is still true when it writes; a reader sees one
    state throughout and waits for nobody (WAL). `synchronous=FULL`: a commit that was answered survives a power cut.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_SECONDS}, max_overflow=30
        )
        event.listen(self._engine, "connect", _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        self._writing: Engine = self._engine.execution_options(write=True)
        with self.write() as connection:
            migrate(connection, str(path))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view."""
        with plain_errors(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when left without error."""
        with plain_errors(self._path), self._writing.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections; the file can be used no more."""
        self._engine.dispose()


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _on_begin does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def plain_errors(where: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into our errors."""
    try:
        yield
    except OperationalError as error:
        raise _of_sqlite(error, where) from error
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise no_space(where) from error


def no_space(where: Path) -> NoSpace:
    """The error for a full file system."""
    return NoSpace("no space is left for the warehouse", where=str(where), hint="delete objects or enlarge the disk")


def _of_sqlite(error: OperationalError, where: Path) -> FactoryError:
    text = str(error.orig)
    if "full" in text:
        return no_space(where)
    return Unavailable(f"the warehouse database does not work: {text}", where=str(where))
