"""Control operations on objects, and the providers that bodies are copied to."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.warehouse import names
from imagefactory.warehouse.server import formats, metadata
from imagefactory.warehouse.server.buckets import listed
from imagefactory.warehouse.server.call import Call, Reply
from imagefactory.warehouse.server.context import Operation, WarehouseContext
from imagefactory.warehouse.server.errors import StatusError
from imagefactory.warehouse.store.providers import TYPES, ReplicationProvider

_PRIMARY = "_primary"
_MORE = re.compile(r"[\x00-\x20\x7f/?#@\\]")
_NOT_HERE = {"s3", "cf"}
_KNOWN = {"type", "host", "port", "key", "secret", "path"}
_FIELDS = {"s3": ("host", "key", "secret"), "cf": ("host", "key", "secret"), "http": ("host",), "fs": ("path",)}


async def status(app: WarehouseContext, call: Call) -> Reply:
    """POST / with `op=rep_status`: how many copies wait. The errors here are the only ones with a body, as in iwhd."""
    op = (await app.form(call)).get("op")
    if op != "rep_status":
        return Reply(400, b"unknown op" if op else b"missing op")
    count = await app.threads.run(app.store.replication.waiting)
    return Reply(200, f"{count} requests\n".encode())


async def operate(app: WarehouseContext, call: Call) -> Reply:
    """POST /BUCKET/KEY with `op`."""
    form = await app.form(call)
    if any(name in names.RESERVED_ATTRIBUTES for name in form):
        raise InvalidInput("a reserved name is among the fields")
    match form.get("op"):
        case "parts":
            return await metadata.listing(app, call)
        case "push":
            return await _push(app, call)
        case "check":
            return await _check(app, call, form.get("depot") or form.get("loc") or "")
        case "register":
            return await _register(app, form.get("site") or "")
        case _:
            raise InvalidInput("there is no such op")


async def _push(app: WarehouseContext, call: Call) -> Reply:
    assert call.path is not None
    await app.threads.run(app.store.replication.push, *call.path)
    return Reply(200)


async def _check(app: WarehouseContext, call: Call, depot: str) -> Reply:
    """Whether that provider has the body as it is now: 200, else 404. It is asked. (iwhd always said yes.)"""
    if not depot:
        raise InvalidInput("depot names the provider to ask about")
    bucket, key = call.path or ("", "")
    if not await app.has_copy(bucket, key, depot):
        raise StatusError(404, "no copy is there")
    return Reply(200)


async def _register(app: WarehouseContext, site: str) -> Reply:
    """Registering images at clouds is the factory's work; here it is only refused in the right way."""
    name = site.partition(":")[0]
    if name not in {one.name for one in await app.threads.run(app.store.replication.providers)}:
        raise InvalidInput("site names no provider")
    raise StatusError(501, "this warehouse registers no images")


async def _list(app: WarehouseContext, call: Call) -> Reply:
    known = await app.threads.run(app.store.replication.providers)
    return listed(formats.providers(known, as_json=call.json), call)


async def _primary(app: WarehouseContext, call: Call) -> Reply:
    assert call.path is not None
    if call.path[1] != _PRIMARY:
        raise InvalidInput("only _primary can be read")
    known = await app.threads.run(app.store.replication.providers)
    return Reply(200, next((one.name for one in known if one.main), "").encode())


async def _add(app: WarehouseContext, call: Call) -> Reply:
    assert call.path is not None
    new = _provider(call.path[1], await app.form(call))
    if new.type in _NOT_HERE:
        raise StatusError(501, f"this warehouse copies nothing to providers of type {new.type}")
    if new.type == "fs":
        app.copies.check(new.path)
    try:
        await app.threads.run(app.store.replication.add, new)
    except Conflict as error:
        raise InvalidInput(error.message, where=error.where, hint=error.hint) from None
    return Reply(200)


def _provider(name: str, form: dict[str, str]) -> ReplicationProvider:
    kind = form.get("type", "")
    if "name" in form or name == _PRIMARY or kind not in TYPES:
        raise InvalidInput("a provider has a type, and its name from the URL")
    if missing := [field for field in _FIELDS[kind] if not form.get(field)]:
        raise InvalidInput(f"missing for {kind}: {', '.join(missing)}")
    port = form.get("port") or ("0" if kind == "fs" else "")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and (kind == "fs" or int(port) > 0)):
        raise InvalidInput("a provider has a port from 1 to 65535")
    host, key, secret, path = (form.get(field, "") for field in ("host", "key", "secret", "path"))
    if kind != "fs" and not _is_host(host, int(port)):
        raise InvalidInput("a provider has a host", where=repr(host), hint="a name or address, or https:// before it")
    more = {field: value for field, value in form.items() if field not in _KNOWN}
    return ReplicationProvider(name, kind, host, int(port), key, secret, path, more=json.dumps(more))


def _is_host(text: str, port: int) -> bool:
    """Whether it is a host, and nothing else, in a URL."""
    scheme, _, rest = text.rpartition("://")
    try:
        seen = urlsplit(f"http://{rest}:{port}")
        return seen.port == port and bool(seen.hostname) and scheme in {"", "http", "https"} and not _MORE.search(rest)
    except ValueError:
        return False


async def _remove(app: WarehouseContext, call: Call) -> Reply:
    assert call.path is not None
    if not await app.threads.run(app.store.replication.remove, call.path[1]):
        raise StatusError(404, "there is no such provider, or it is the primary one")
    return Reply(200)


async def _make_primary(app: WarehouseContext, call: Call) -> Reply:
    assert call.path is not None
    if call.path[2] != _PRIMARY or not await app.threads.run(app.store.replication.make_main, call.path[1]):
        raise InvalidInput("there is no such provider")
    return Reply(200)


async def refuse_page(_: WarehouseContext, __: Call) -> Reply:
    """Refuse a change of where bodies go that a page in a browser asks for: no client of a warehouse is a page."""
    raise StatusError(403, "pages may not change providers")


#: What can be done below /_providers, by method and number of names in the path.
PROVIDERS: dict[tuple[str, int], Operation] = {
    ("GET", 1): _list,
    ("GET", 2): _primary,
    ("POST", 2): _add,
    ("DELETE", 2): _remove,
    ("PUT", 3): _make_primary,
}
