"""Tables of the job store, and how older files become this version.

`PRAGMA user_version` of the file counts the migrations it has had.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, Index, Integer, MetaData, Table, Text

from imagefactory.model.errors import Unavailable

metadata = MetaData()

#: `position` is the order of creation; `owner` is "pid:started"; `body` is the job as JSON; `revision` grows with every
#: write of any process.
jobs = Table(
    "jobs",
    metadata,
    Column("position", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("request", Text, nullable=False, server_default=""),
    Column("revision", Integer, nullable=False, server_default="0"),
)
by_revision = Index("jobs_by_revision", jobs.c.revision)

lines = Table(
    "lines",
    metadata,
    Column("job", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("time", Float, nullable=False),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: Two processes may count up to the same id; the jobs of their events differ.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", Text, primary_key=True),
    Column("time", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("events_of_job", "job", "id"),
    sqlite_with_rowid=False,
)

#: Rows that could not be read any more, for a person to look at.
quarantine = Table(
    "quarantine",
    metadata,
    Column("position", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("body", Text),
    Column("request", Text),
    Column("reason", Text, nullable=False),
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection)


def _revisions(connection: Connection) -> None:
    """Processes that share the file see what the others change."""
    columns = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(jobs)")}
    if "revision" not in columns:
        connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN revision INTEGER NOT NULL DEFAULT 0")
    by_revision.create(connection, checkfirst=True)


#: One step per version; a step that was released is never changed.
MIGRATIONS = (_first, _revisions)


def migrate(connection: Connection) -> None:
    """Bring the file to this version, inside the caller's transaction.

    Raises Unavailable for a file of a later version.
    """
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if version > len(MIGRATIONS):
        raise Unavailable(
            f"the job store has schema version {version}; this program knows up to {len(MIGRATIONS)}",
            hint="use the newer version of this program, or another state_dir",
        )
    for step in MIGRATIONS[version:]:
        step(connection)
    connection.exec_driver_sql(f"PRAGMA user_version = {len(MIGRATIONS)}")
