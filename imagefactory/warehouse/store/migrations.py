"""The versions of the warehouse's tables, as the statements that make each of the one before.

They are frozen: a released version is never changed, and nothing here follows the tables of `schema`. Databases of each
version are kept in tests/warehouse/databases.
"""

from __future__ import annotations

_FIRST = (
    "CREATE TABLE bucket (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR NOT NULL UNIQUE)",
    """
    CREATE TABLE blob (
        id VARCHAR NOT NULL PRIMARY KEY,
        sha256 VARCHAR NOT NULL,
        size INTEGER NOT NULL,
        allocated INTEGER NOT NULL
    )
    """,
    "CREATE INDEX ix_blob_sha256 ON blob (sha256)",
    """
    CREATE TABLE object (
        id INTEGER NOT NULL PRIMARY KEY,
        bucket_id INTEGER NOT NULL REFERENCES bucket (id),
        "key" VARCHAR NOT NULL,
        blob_id VARCHAR REFERENCES blob (id),
        modified FLOAT NOT NULL,
        UNIQUE (bucket_id, "key")
    )
    """,
    "CREATE INDEX ix_object_blob_id ON object (blob_id)",
    """
    CREATE TABLE attribute (
        object_id INTEGER NOT NULL REFERENCES object (id) ON DELETE CASCADE,
        name VARCHAR NOT NULL,
        value VARCHAR NOT NULL,
        PRIMARY KEY (object_id, name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX attribute_by_value ON attribute (name, value, object_id)",
    """
    CREATE TABLE provider (
        name VARCHAR NOT NULL PRIMARY KEY,
        type VARCHAR NOT NULL,
        host VARCHAR DEFAULT '' NOT NULL,
        port INTEGER DEFAULT '0' NOT NULL,
        username VARCHAR DEFAULT '' NOT NULL,
        password VARCHAR DEFAULT '' NOT NULL,
        path VARCHAR DEFAULT '' NOT NULL,
        main BOOLEAN DEFAULT '0' NOT NULL
    )
    """,
    """
    CREATE TABLE replication (
        id INTEGER NOT NULL PRIMARY KEY,
        provider VARCHAR NOT NULL,
        bucket VARCHAR NOT NULL,
        "key" VARCHAR NOT NULL,
        attempts INTEGER DEFAULT '0' NOT NULL,
        due FLOAT DEFAULT '0' NOT NULL,
        error VARCHAR DEFAULT '' NOT NULL,
        UNIQUE (provider, bucket, "key")
    )
    """,
    """
    CREATE TABLE replica (
        provider VARCHAR NOT NULL,
        bucket VARCHAR NOT NULL,
        "key" VARCHAR NOT NULL,
        sha256 VARCHAR NOT NULL,
        PRIMARY KEY (provider, bucket, "key")
    )
    """,
    "INSERT INTO provider (name, type, main) VALUES ('primary', 'fs', 1)",
)

#: This store is known as such, whatever is primary; damage is not written over digests.
_DAMAGE = (
    "ALTER TABLE blob ADD COLUMN damaged BOOLEAN DEFAULT '0' NOT NULL",
    "ALTER TABLE provider ADD COLUMN here BOOLEAN DEFAULT '0' NOT NULL",
    "ALTER TABLE provider ADD COLUMN more VARCHAR DEFAULT '{}' NOT NULL",
    "UPDATE provider SET here = 1 WHERE name = 'primary' AND type = 'fs' AND path = ''",
    "UPDATE blob SET damaged = 1, sha256 = '' WHERE sha256 LIKE 'damaged %'",
)

#: Bodies are also known by a digest that leaves holes out; those stored before keep the one they have.
_CONTENT = (
    "ALTER TABLE blob ADD COLUMN content VARCHAR DEFAULT '' NOT NULL",
    "CREATE INDEX blob_by_content ON blob (content)",
)

MIGRATIONS = (_FIRST, _DAMAGE, _CONTENT)
