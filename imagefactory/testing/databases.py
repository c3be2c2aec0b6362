"""Databases of every version that was released, brought to the newest one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import MetaData, create_engine

from imagefactory.lib.database.sqlite import Database, DatabaseKind

Table = tuple[frozenset[tuple[object, ...]], frozenset[tuple[str, ...]]]
"""The columns (name, type, not null, default, place in the key) and the columns of each index."""


def restore(dump: Path, path: Path) -> None:
    """Make a database of a text as `sqlite3 FILE .dump` writes it, followed by its `user_version`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(dump.read_text())


def tables_of(path: Path) -> dict[str, Table]:
    """Returns what the tables of a database are, however their statements were written."""
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: _table(connection, name) for name in names}


def newest_tables(path: Path, kind: DatabaseKind) -> dict[str, Table]:
    """Open the database at `path` (made if there is none), which migrates it; returns its tables."""
    Database(path, kind).close()
    return tables_of(path)


def described_tables(path: Path, metadata: MetaData) -> dict[str, Table]:
    """Returns the tables that the code describes, from a new database at `path`."""
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    return tables_of(path)


def _table(connection: sqlite3.Connection, name: str) -> Table:
    columns = frozenset(row[1:] for row in connection.execute(f"PRAGMA table_info('{name}')"))
    indexes = [row[1] for row in connection.execute(f"PRAGMA index_list('{name}')")]
    return columns, frozenset(
        tuple(row[2] for row in connection.execute(f"PRAGMA index_info('{index}')")) for index in indexes
    )
