"""Tables of the job store as they are now; `migrations` makes them of those of older files."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text

from imagefactory.jobs.store.migrations import MIGRATIONS
from imagefactory.lib.database.sqlite import DatabaseKind

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
Index("jobs_by_revision", jobs.c.revision)

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

#: Rows that could not be read, kept for manual inspection.
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
    Column("state", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("holder", Text, nullable=False),
)

STORE = DatabaseKind(
    "the job store",
    setting="state_dir",
    migrations=MIGRATIONS,
    busy=15,
    durable=True,
    shrinks=True,
    relief="make room on that file system",
)
