"""The warehouse's database, and the errors of it and the files beside it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from imagefactory.lib.database import sqlite
from imagefactory.warehouse.store.schema import WAREHOUSE


def open_database(path: Path) -> sqlite.Database:
    """Returns the database in directory `path`, which is made if necessary."""
    with sqlite.opening(path, WAREHOUSE):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return sqlite.Database(path / "warehouse.db", WAREHOUSE)


def plain_errors(where: Path) -> AbstractContextManager[None]:
    """Turns what SQLite says, and a file system that is full, into our errors."""
    return sqlite.plain_errors(where, WAREHOUSE)
