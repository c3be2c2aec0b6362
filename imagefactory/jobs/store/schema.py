"""Tables of the job store, and how older files become this version."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Connection, Float, Index, Integer, MetaData, Table, Text

from imagefactory.lib.database.sqlite import Kind

metadata = MetaData()

#: `position` is the order of creation; `owner` is "pid:started", with ":command" for a command; `body` is the job as
#: JSON; `request` is the key of a row of `requests`, or empty; `revision` grows with every write of any process.
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

#: What retries need. Jobs of one request share a row: it may hold megabytes.
requests = Table("requests", metadata, Column("key", Text, primary_key=True), Column("body", Text, nullable=False))

lines = Table(
    "lines",
    metadata,
    Column("job", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("time", Float, nullable=False),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: Files of older versions have events of two processes with the same id; their jobs differ.
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

#: `value` of "events" is the highest id that was reserved.
counters = Table("counters", metadata, Column("name", Text, primary_key=True), Column("value", Integer, nullable=False))

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


#: What pushes made at providers and handed over to no provider image yet; `position` is the order of creation,
#: `holder` names the process whose push it is, and is empty for a leftover. The others are those of
#: `targets.resources.Resource`, in its order.
resources = Table(
    "resources",
    metadata,
    Column("position", Integer, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("push", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("kept", Boolean, nullable=False),
    Column("holder", Text, nullable=False),
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection)


def _revisions(connection: Connection) -> None:
    """Processes that share the file see what the others change."""
    columns = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(jobs)")}
    if "revision" not in columns:
        connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN revision INTEGER NOT NULL DEFAULT 0")
    by_revision.create(connection, checkfirst=True)


def _counters(connection: Connection) -> None:
    """Ids of events are reserved."""
    counters.create(connection, checkfirst=True)


def _requests(connection: Connection) -> None:
    """Requests stand apart from their jobs."""
    requests.create(connection, checkfirst=True)
    connection.exec_driver_sql("INSERT INTO requests SELECT 'job:' || id, request FROM jobs WHERE request != ''")
    connection.exec_driver_sql("UPDATE jobs SET request = 'job:' || id WHERE request != ''")


def _resources(connection: Connection) -> None:
    """What pushes make at providers is remembered."""
    resources.create(connection, checkfirst=True)


STORE = Kind(
    "the job store",
    setting="state_dir",
    migrations=(_first, _revisions, _counters, _requests, _resources),
    busy=15,
    durable=True,
    shrinks=True,
    relief="make room on that file system",
)
