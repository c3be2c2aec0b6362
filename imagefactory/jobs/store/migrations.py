"""The versions of the job store's tables, as the statements that make each of the one before.

They are frozen: a released version is never changed, and nothing here follows the tables of `schema`. Databases of each
version are kept in tests/jobs/store/databases.
"""

from __future__ import annotations

_FIRST = (
    """
    CREATE TABLE jobs (
        position INTEGER NOT NULL PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        body TEXT NOT NULL,
        request TEXT DEFAULT '' NOT NULL
    )
    """,
    """
    CREATE TABLE lines (
        job TEXT NOT NULL,
        number INTEGER NOT NULL,
        time FLOAT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (job, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE events (
        id INTEGER NOT NULL,
        job TEXT NOT NULL,
        time FLOAT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (id, job)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX events_of_job ON events (job, id)",
    """
    CREATE TABLE quarantine (
        position INTEGER NOT NULL PRIMARY KEY,
        id TEXT NOT NULL,
        body TEXT,
        request TEXT,
        reason TEXT NOT NULL
    )
    """,
)

#: Processes that share the file see what the others change.
_REVISIONS = (
    "ALTER TABLE jobs ADD COLUMN revision INTEGER DEFAULT '0' NOT NULL",
    "CREATE INDEX jobs_by_revision ON jobs (revision)",
)

#: Ids of events are reserved.
_COUNTERS = ("CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL)",)

#: Jobs of one request share what a retry needs; it may be megabytes.
_REQUESTS = (
    'CREATE TABLE requests ("key" TEXT NOT NULL PRIMARY KEY, body TEXT NOT NULL)',
    "INSERT INTO requests SELECT 'job:' || id, request FROM jobs WHERE request != ''",
    "UPDATE jobs SET request = 'job:' || id WHERE request != ''",
)

#: What pushes create at providers is remembered.
_RESOURCES = (
    """
    CREATE TABLE resources (
        position INTEGER NOT NULL PRIMARY KEY,
        token TEXT NOT NULL UNIQUE,
        push TEXT NOT NULL,
        target TEXT NOT NULL,
        provider TEXT NOT NULL,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        created FLOAT NOT NULL,
        state TEXT NOT NULL,
        identifier TEXT NOT NULL,
        note TEXT NOT NULL,
        holder TEXT NOT NULL
    )
    """,
)

#: Nodes hold jobs under an attempt; a process id means nothing in another container. A damaged body has no fields.
_NODES = (
    """
    CREATE TABLE held_jobs (
        position INTEGER NOT NULL PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        build TEXT NOT NULL,
        operation TEXT NOT NULL,
        state TEXT NOT NULL,
        body TEXT NOT NULL,
        request TEXT DEFAULT '' NOT NULL,
        revision INTEGER DEFAULT '0' NOT NULL,
        request_group TEXT NOT NULL,
        outcome TEXT DEFAULT '' NOT NULL,
        needs TEXT DEFAULT '' NOT NULL,
        node TEXT DEFAULT '' NOT NULL,
        daemon BOOLEAN DEFAULT '1' NOT NULL,
        attempt INTEGER DEFAULT '1' NOT NULL,
        lease FLOAT DEFAULT '0' NOT NULL,
        cancel BOOLEAN DEFAULT '0' NOT NULL
    )
    """,
    """
    INSERT INTO held_jobs (
        position, id, body, request, revision, request_group, build, operation, state, daemon, node
    )
    SELECT
        position, id, body, request, revision,
        CASE request WHEN '' THEN id ELSE request END,
        CASE WHEN json_valid(body) THEN coalesce(json_extract(body, '$.build_id'), '') ELSE '' END,
        CASE WHEN json_valid(body) THEN coalesce(json_extract(body, '$.operation'), '') ELSE '' END,
        CASE WHEN json_valid(body) THEN coalesce(json_extract(body, '$.state.is'), '') ELSE '' END,
        owner NOT LIKE '%:command',
        replace(owner, ':command', '')
    FROM jobs
    """,
    "UPDATE held_jobs SET outcome = state WHERE state IN ('completed', 'failed')",
    "DROP TABLE jobs",
    "ALTER TABLE held_jobs RENAME TO jobs",
    "CREATE INDEX jobs_by_revision ON jobs (revision)",
    "CREATE INDEX jobs_by_state ON jobs (state, position)",
    "CREATE INDEX jobs_by_group ON jobs (request_group)",
)

MIGRATIONS = (_FIRST, _REVISIONS, _COUNTERS, _REQUESTS, _RESOURCES, _NODES)
