"""Operations on attributes."""

from __future__ import annotations

from imagefactory.lib.errors import InvalidInput
from imagefactory.warehouse.server import formats
from imagefactory.warehouse.server.buckets import listed
from imagefactory.warehouse.server.call import Call, Reply, as_text
from imagefactory.warehouse.server.conditions import condition
from imagefactory.warehouse.server.context import WarehouseContext
from imagefactory.warehouse.server.errors import StatusError

_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


async def put(app: WarehouseContext, call: Call) -> Reply:
    """PUT /BUCKET/KEY/ATTRIBUTE: the value is the body, or the header X-redhat-value. Makes bucket and object."""
    assert call.path is not None
    bucket, key, name = call.path
    header = call.raw_header("x-redhat-value")
    value = call.text() if header is None else as_text(header, "the value")
    await app.threads.run(app.store.annotate, bucket, key, {name: value}, condition(call))
    return Reply(201)


async def set_many(app: WarehouseContext, call: Call) -> Reply:
    """POST /BUCKET with `_key` and attributes: all in one step, or nothing."""
    assert call.path is not None
    fields = await app.form(call)
    key = fields.pop("_key", "")
    if not key:
        raise InvalidInput("the form needs _key")
    await app.threads.run(app.store.annotate, call.path[0], key, fields, condition(call))
    return Reply(200)


async def get(app: WarehouseContext, call: Call) -> Reply:
    """GET /BUCKET/KEY/ATTRIBUTE: the value as it is; 404 if it is absent or empty."""
    assert call.path is not None
    value = await app.threads.run(app.store.attribute, *call.path)
    if not value:
        raise StatusError(404, "there is no such attribute")
    return Reply(200, value.encode(), _TEXT)


async def delete(app: WarehouseContext, call: Call) -> Reply:
    """DELETE /BUCKET/KEY/ATTRIBUTE: ours."""
    assert call.path is not None
    bucket, key, name = call.path
    if not await app.threads.run(app.store.delete_attribute, bucket, key, name, condition(call)):
        raise StatusError(404, "there is no such attribute")
    return Reply(200)


async def listing(app: WarehouseContext, call: Call) -> Reply:
    """GET /BUCKET/KEY/_attrs: the names; ours: `values=1` for values, too."""
    assert call.path is not None
    bucket, key = call.path[:2]
    found = await app.threads.run(app.store.describe, bucket, key)
    if found is None:
        raise StatusError(404, "there is no such object")
    url, attributes = formats.object_url(call.root, bucket, key), found[1]
    if call.argument("values") == "1":
        return listed(formats.values(url, attributes, as_json=call.json), call)
    return listed(formats.parts(url, attributes, as_json=call.json), call)
