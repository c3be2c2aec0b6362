"""Reading and deleting objects; `body_sink` stores them."""

from __future__ import annotations

from dataclasses import replace

from twisted.web.http import datetimeToString

from imagefactory.warehouse.server import content
from imagefactory.warehouse.server.call import Call, Reply
from imagefactory.warehouse.server.conditions import FRAMED, condition, not_modified, ranges
from imagefactory.warehouse.server.context import WarehouseContext
from imagefactory.warehouse.server.errors import StatusError
from imagefactory.warehouse.store.blobs import Reader
from imagefactory.warehouse.store.digests import digested
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.wire import EXTENTS, digests

_BINARY = {"Content-Type": "application/octet-stream"}


async def get(app: WarehouseContext, call: Call) -> Reply:
    """GET /BUCKET/KEY: the body, or parts of it."""
    assert call.path is not None
    opened = await app.threads.run(app.store.open, *call.path)
    if opened is None:
        raise StatusError(404, "there is no body")
    stored, reader = opened
    try:
        framed = EXTENTS in (call.header("accept") or "")
        stored = stored if framed else await _digested(app, stored)
        return await _reply(app, call, stored, reader, framed=framed)
    except BaseException:
        await app.bulk.run(reader.close)
        raise


async def _digested(app: WarehouseContext, stored: StoredObject) -> StoredObject:
    """With the SHA-256 that HTTP clients want to know; what has it costs nothing. Those who ask at once share it."""
    blob = stored.blob
    if blob is None or blob.sha256:
        return stored
    known = await app.digesting.run(blob.id, lambda: app.bulk.run(digested, app.store, stored))
    return replace(stored, blob=known.blob)


async def _reply(app: WarehouseContext, call: Call, stored: StoredObject, reader: Reader, *, framed: bool) -> Reply:
    await _check_whole(app, stored, reader)
    headers = _headers(stored, FRAMED if framed else "")
    if not_modified(call, stored, FRAMED if framed else ""):
        await app.bulk.run(reader.close)
        return Reply(304, headers=headers)
    body = await _body(app, call, stored, reader, framed=framed)
    if isinstance(body.body, content.Content) and not body.body.whole:
        app.checks.look(stored, reader)
    return replace(body, headers={**headers, **body.headers})


async def _body(app: WarehouseContext, call: Call, stored: StoredObject, reader: Reader, *, framed: bool) -> Reply:
    if framed:
        extents = await app.bulk.run(reader.extents)
        return Reply(200, content.framed(stored, reader, extents), {"Content-Type": EXTENTS})
    spans = ranges(call, stored, reader.size, app.clock.seconds())
    if spans is None:
        return Reply(200, content.whole(stored, reader), _BINARY)
    if len(spans) > 1:
        several, media = content.several(stored, reader, spans)
        return Reply(206, several, {"Content-Type": media})
    ((start, length),) = spans
    place = {"Content-Range": f"bytes {start}-{start + length - 1}/{reader.size}"}
    return Reply(206, content.one_range(stored, reader, start, length), _BINARY | place)


def _headers(stored: StoredObject, suffix: str) -> dict[str, str]:
    assert stored.blob is not None
    return {
        "ETag": f'"{stored.etag}{suffix}"',
        "Vary": "Accept",
        "Last-Modified": datetimeToString(stored.modified).decode(),
        "Accept-Ranges": "bytes",
        **digests(stored.blob.sha256, stored.blob.content),
    }


async def _check_whole(app: WarehouseContext, stored: StoredObject, reader: Reader) -> None:
    """500 for a body that is known to be damaged, or that lost some of its bytes."""
    assert stored.blob is not None
    if reader.size != stored.blob.size:
        await app.threads.run(app.store.mark_damaged, stored.blob.id)
        raise StatusError(500, f"the body has {reader.size} bytes, {stored.blob.size} were stored")
    if stored.blob.damaged:
        raise StatusError(500, "the body is damaged")


async def delete(app: WarehouseContext, call: Call) -> Reply:
    """DELETE /BUCKET/KEY: body and attributes."""
    bucket, key = call.path or ("", "")
    if not await app.threads.run(app.store.delete, bucket, key, condition(call)):
        raise StatusError(404, "there is no such object")
    return Reply(200)
