"""Tables of the job store as they are now; `migrations` makes them of those of older files."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, Table, Text

from imagefactory.jobs.store.migrations import MIGRATIONS
from imagefactory.lib.database.sqlite import DatabaseKind

metadata = MetaData()

#: `position` is the order of creation; `body` is the job as JSON, of which `build`, `operation` and `state` are copies;
#: `request` is the key of a row of `requests`, or empty; `revision` grows with every write of any node. The jobs of one
#: request have the same `request_group`; `outcome` is "completed" or "failed" as soon as a job is about to end.
#: `node` holds the job (empty: none does) under `attempt` until `lease`; `needs` are words between spaces.
jobs = Table(
    "jobs",
    metadata,
    Column("position", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("build", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("request", Text, nullable=False, server_default=""),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("request_group", Text, nullable=False),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("needs", Text, nullable=False, server_default=""),
    Column("node", Text, nullable=False, server_default=""),
    Column("daemon", Boolean, nullable=False, server_default="1"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("lease", Float, nullable=False, server_default="0"),
    Column("cancel", Boolean, nullable=False, server_default="0"),
)
Index("jobs_by_revision", jobs.c.revision)
Index("jobs_by_state", jobs.c.state, jobs.c.position)
Index("jobs_by_group", jobs.c.request_group)

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

#: `value` of "events" is the highest id that was reserved, that of "revisions" the highest revision.
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
