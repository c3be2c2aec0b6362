"""Listing a bucket, and finding the objects that a query selects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby, islice

from sqlalchemy import ColumnElement, Connection, Select, UnaryExpression, exists, func, select
from sqlalchemy.sql.operators import custom_op

from imagefactory.warehouse.names import RESERVED_KEYS
from imagefactory.warehouse.query import Equality, Query, matches, parse, plan
from imagefactory.warehouse.store import objects
from imagefactory.warehouse.store.schema import attribute, blob, object_

_TOP = "\U0010ffff" * 16  # after every name that begins alike
_PROBE = 1000
_AT_ONCE = 5000
_parse = lru_cache(256)(parse)
_UNINDEXED: UnaryExpression[int] = UnaryExpression(object_.c.bucket_id, operator=custom_op("+"))
"""The bucket as a plain condition: SQLite would rather walk all keys of a bucket in order than sort a few."""


def keys(connection: Connection, bucket: str, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
    """Keys of the bucket in byte order; NotFound."""
    in_bucket = object_.c.bucket_id == objects.bucket_id(connection, bucket)
    wanted = _listed(select(object_.c.key), in_bucket, after)
    if prefix:
        wanted = wanted.where(object_.c.key.between(prefix, prefix + _TOP))
    return list(connection.scalars(wanted.limit(limit)))


def query(connection: Connection, bucket: str, expression: str, after: str = "", limit: int | None = None) -> list[str]:
    """Keys of the selected objects in byte order; NotFound, InvalidInput."""
    parsed = _parse(expression)
    bucket_id = objects.bucket_id(connection, bucket)
    ways = plan(parsed)
    narrow = _narrow(connection, ways.equalities)
    in_bucket = (_UNINDEXED if narrow else object_.c.bucket_id) == bucket_id
    if ways.exact:
        wanted = _listed(select(object_.c.key), in_bucket, after).where(*narrow)
        return list(connection.scalars(wanted.limit(limit)))
    candidates = _candidates(connection, bucket, _listed(select(object_.c.key), in_bucket, after).where(*narrow))
    return list(islice(_selected(connection, parsed, candidates), limit))


def _listed(wanted: Select[tuple[str]], in_bucket: ColumnElement[bool], after: str) -> Select[tuple[str]]:
    """What a listing shows of a bucket: not the reserved keys, and only what comes after `after`."""
    shown = wanted.where(in_bucket, object_.c.key.not_in(RESERVED_KEYS))
    return (shown.where(object_.c.key > after) if after else shown).order_by(object_.c.key)


def _narrow(connection: Connection, equalities: tuple[Equality, ...]) -> list[ColumnElement[bool]]:
    """Conditions for the index: candidates come from the rarest value, the others are looked up for each of them."""
    ranked = sorted(equalities, key=partial(_frequency, connection)) if len(equalities) > 1 else equalities
    conditions: list[ColumnElement[bool]] = []
    for rank, equality in enumerate(ranked):
        other = attribute.alias()  # not the one that a query around this may have joined
        here = (other.c.name == equality.name) & (other.c.value == equality.value)
        if rank == 0:
            conditions.append(object_.c.id.in_(select(other.c.object_id).where(here)))
        else:
            conditions.append(exists().where(other.c.object_id == object_.c.id, here))
    return conditions


def _frequency(connection: Connection, equality: Equality) -> int:
    here = (attribute.c.name == equality.name) & (attribute.c.value == equality.value)
    some = select(attribute.c.object_id).where(here).limit(_PROBE).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def _candidates(connection: Connection, bucket: str, keys: Select[tuple[str]]) -> Iterator[tuple[str, dict[str, str]]]:
    """(key, attributes as queries see them) of each that `keys` selects, in one pass over one join."""
    etag = func.substr(func.coalesce(func.nullif(blob.c.content, ""), blob.c.sha256), 1, 16).label("etag")
    wanted = (
        keys.add_columns(etag, attribute.c.name, attribute.c.value)
        .outerjoin(blob, blob.c.id == object_.c.blob_id)
        .outerjoin(attribute, attribute.c.object_id == object_.c.id)
    )
    for (key, etag_), rows in groupby(connection.execute(wanted), lambda row: (row.key, row.etag)):
        values = {row.name: row.value for row in rows if row.name is not None}
        yield key, values | {"_key": key, "_bucket": bucket, "_etag": etag_ or ""}


def _selected(connection: Connection, parsed: Query, candidates: Iterator[tuple[str, dict[str, str]]]) -> Iterator[str]:
    resolve = lru_cache(10_000)(partial(read_attribute, connection))
    return (key for key, values in candidates if matches(parsed, values, resolve))


def attributes_of(
    connection: Connection, bucket: str, keys: Sequence[str], names: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Some attributes (all, if none is named) of several objects, by key."""
    found: dict[str, dict[str, str]] = {}
    wanted = select(object_.c.key, attribute.c.name, attribute.c.value).join_from(object_, attribute)
    wanted = wanted.where(object_.c.bucket_id == objects.bucket_id(connection, bucket)).order_by(attribute.c.name)
    if names:
        wanted = wanted.where(attribute.c.name.in_(names))
    for some in _batched(keys, _AT_ONCE):
        for row in connection.execute(wanted.where(object_.c.key.in_(some))):
            found.setdefault(row.key, {})[row.name] = row.value
    return found


def _batched(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Slices of at most `size`: SQLite takes only so many parameters in a statement."""
    return (keys[start : start + size] for start in range(0, len(keys), size))


def read_attribute(connection: Connection, bucket: str, key: str, name: str) -> str:
    """One attribute as iwhd reads it, the computed ones included; empty if there is none."""
    stored = objects.find(connection, bucket, key)
    if stored is None:
        return ""
    computed = {"_key": key, "_bucket": bucket, "_etag": stored.etag}
    if name in computed:
        return computed[name]
    wanted = select(attribute.c.value).where(attribute.c.object_id == stored.id, attribute.c.name == name)
    return connection.scalar(wanted) or ""
