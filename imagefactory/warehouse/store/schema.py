"""The tables of the embedded warehouse, and how an older database becomes a current one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.schema import CreateColumn

from imagefactory.lib.database.sqlite import Kind

metadata = MetaData()

bucket = Table(
    "bucket",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
)

#: One row per stored body; the file (or S3 object) of the same id never changes.
blob = Table(
    "blob",
    metadata,
    Column("id", String, primary_key=True),
    Column("sha256", String, nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("allocated", Integer, nullable=False),
    Column("damaged", Boolean, nullable=False, server_default="0"),
    Column("content", String, nullable=False, server_default=""),
    Index("blob_by_content", "content"),
)

object_ = Table(
    "object",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("bucket_id", ForeignKey("bucket.id"), nullable=False),
    Column("key", String, nullable=False),
    Column("blob_id", ForeignKey("blob.id"), index=True),
    Column("modified", Float, nullable=False),
    UniqueConstraint("bucket_id", "key"),
)

attribute = Table(
    "attribute",
    metadata,
    Column("object_id", ForeignKey("object.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
    Index("attribute_by_value", "name", "value", "object_id"),
    sqlite_with_rowid=False,
)

#: Other warehouses that bodies are copied to, and this one (`here`); `main` is only what is shown as the primary one.
#: `more`: other fields that were given with it, as JSON, for policies to read.
provider = Table(
    "provider",
    metadata,
    Column("name", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("host", String, nullable=False, server_default=""),
    Column("port", Integer, nullable=False, server_default="0"),
    Column("username", String, nullable=False, server_default=""),
    Column("password", String, nullable=False, server_default=""),
    Column("path", String, nullable=False, server_default=""),
    Column("main", Boolean, nullable=False, server_default="0"),
    Column("here", Boolean, nullable=False, server_default="0"),
    Column("more", String, nullable=False, server_default="{}"),
)

#: Copies still to be made: one row per object and provider, however often it was asked for.
replication = Table(
    "replication",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", String, nullable=False),
    Column("bucket", String, nullable=False),
    Column("key", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due", Float, nullable=False, server_default="0"),
    Column("error", String, nullable=False, server_default=""),
    UniqueConstraint("provider", "bucket", "key"),
)

#: Copies that were made: which body a provider has.
replica = Table(
    "replica",
    metadata,
    Column("provider", String, primary_key=True),
    Column("bucket", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("sha256", String, nullable=False),
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(provider.insert().values(name="primary", type="fs", main=True, here=True))


def _second(connection: Connection) -> None:
    """This store is known as such, whatever is primary; damage is not written over digests."""
    for column in (blob.c.damaged, provider.c.here, provider.c.more):
        _add(connection, column)
    connection.exec_driver_sql("UPDATE provider SET here = 1 WHERE name = 'primary' AND type = 'fs' AND path = ''")
    connection.exec_driver_sql("UPDATE blob SET damaged = 1, sha256 = '' WHERE sha256 LIKE 'damaged %'")


def _third(connection: Connection) -> None:
    """Bodies are known by a digest that leaves holes out, too; those of before keep the one they have."""
    _add(connection, blob.c.content)
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS blob_by_content ON blob (content)")


def _add(connection: Connection, column: Column[Any]) -> None:
    """Add a column unless the table was just made from its newest description."""
    table = column.table.name
    if column.name not in {row.name for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")}:
        description = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {description}")


WAREHOUSE = Kind(
    "the warehouse",
    setting="warehouse_path",
    migrations=(_first, _second, _third),
    busy=60,
    durable=True,
    relief="delete objects or enlarge the disk",
)
