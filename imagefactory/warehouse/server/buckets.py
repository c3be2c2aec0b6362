"""Operations on the root and on buckets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.warehouse.server import formats
from imagefactory.warehouse.server.call import Call, Reply
from imagefactory.warehouse.server.context import WarehouseContext
from imagefactory.warehouse.server.errors import StatusError
from imagefactory.warehouse.server.pages import Pages, paged


def listed(body: bytes | Pages, call: Call) -> Reply:
    """A list in the format that the client wanted."""
    media = "application/json" if call.json else "application/xml"
    return Reply(200, body, {"Content-Type": media, "Vary": "Accept"})


async def root(app: WarehouseContext, call: Call) -> Reply:
    """GET /: what there is."""
    names = await app.threads.run(app.store.buckets)
    return listed(formats.root(call.root, names, as_json=call.json), call)


async def create(app: WarehouseContext, call: Call) -> Reply:
    """PUT /BUCKET: 201; 500 if it exists, as clients of iwhd expect."""
    assert call.path is not None
    return await _create(app, call.path[0])


async def create_by_form(app: WarehouseContext, call: Call) -> Reply:
    """POST /_new with `name`: as PUT."""
    name = (await app.form(call)).get("name")
    if not name:
        raise InvalidInput("the bucket needs a name")
    return await _create(app, name)


async def _create(app: WarehouseContext, name: str) -> Reply:
    if not await app.threads.run(app.store.create_bucket, name):
        raise StatusError(500, "the bucket exists")
    return Reply(201)


async def listing(app: WarehouseContext, call: Call) -> Reply:
    """GET /BUCKET: its objects; ours: `prefix`, `after`, `limit`, `attrs`."""
    assert call.path is not None
    (bucket,) = call.path
    prefix, after, limit = call.argument("prefix") or "", call.argument("after") or "", call.number("limit")
    keys = await app.threads.run(app.store.keys, bucket, prefix, after, limit)
    return await _objects(app, call, bucket, keys)


async def query(app: WarehouseContext, call: Call) -> Reply:
    """POST /BUCKET/_query: the objects that an expression selects; 404 for none, as clients of iwhd expect.

    The body is the expression itself, whatever its content type says. Ours: `after`, `limit`, `attrs`.
    """
    assert call.path is not None
    bucket = call.path[0]
    after, limit = call.argument("after") or "", call.number("limit")
    keys = await app.threads.run(app.store.query, bucket, call.text(), after, limit)
    if not keys and limit != 0:
        raise StatusError(404, "no object is selected")
    return await _objects(app, call, bucket, keys)


async def _objects(app: WarehouseContext, call: Call, bucket: str, keys: list[str]) -> Reply:
    wanted = call.argument("attrs")
    names = wanted.split(",") if wanted else []

    def look(some: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        return app.store.attributes_of(bucket, some, names)

    pieces = formats.objects(bucket, keys, as_json=call.json, attributes=None if wanted is None else look)
    return listed(await app.threads.run(paged, pieces), call)


async def delete(app: WarehouseContext, call: Call) -> Reply:
    """DELETE /BUCKET: ours, for empty ones; 409 else."""
    assert call.path is not None
    try:
        found = await app.threads.run(app.store.delete_bucket, call.path[0])
    except Conflict as error:
        raise StatusError(409, error.message) from None
    if not found:
        raise StatusError(404, "there is no such bucket")
    return Reply(200)
