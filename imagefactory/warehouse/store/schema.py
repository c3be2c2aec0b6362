"""The tables of the embedded warehouse as they are now; `migrations` makes them of those of older databases."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from imagefactory.lib.database.sqlite import DatabaseKind
from imagefactory.warehouse.store.migrations import MIGRATIONS

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


WAREHOUSE = DatabaseKind(
    "the warehouse",
    setting="warehouse_path",
    migrations=MIGRATIONS,
    busy=60,
    durable=True,
    relief="delete objects or enlarge the disk",
)
