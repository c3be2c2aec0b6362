"""What happens to the body of a PUT: it becomes an object, or part of an upload that goes on later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from imagefactory.lib.errors import InvalidInput
from imagefactory.warehouse.buffered_writer import BufferedWriter, Flow
from imagefactory.warehouse.server.call import Call, Reply, attributes_in_headers
from imagefactory.warehouse.server.conditions import condition
from imagefactory.warehouse.server.context import WarehouseContext
from imagefactory.warehouse.server.users import hashing
from imagefactory.warehouse.store.blobs import Incoming, Receiving
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.wire import CONTENT, DIGEST, EXTENTS, Frames, digests


class BodySink(Protocol):
    """A body being received."""

    def add(self, data: bytes) -> None:
        """More of it."""
        ...

    async def finish(self) -> Reply:
        """It has all come."""
        ...

    async def abort(self) -> None:
        """The rest will not come. Returns when nothing of this connection touches the store any more."""
        ...


class WholeBody:
    """One request, one body."""

    def __init__(self, call: Call, incoming: Receiving, app: WarehouseContext, flow: Flow) -> None:
        self._call = call
        self._incoming = incoming
        self._store = app.store
        self._threads = app.bulk
        self._frames = Frames(incoming.write, incoming.skip) if call.content_type == EXTENTS else None
        self._signed = app.body_hash(call)
        write = hashing(self._signed, self._frames.feed if self._frames else incoming.write)
        self._upload = BufferedWriter(write, app.bulk, flow, app.uploads)

    def add(self, data: bytes) -> None:
        self._upload.add(data)

    async def finish(self) -> Reply:
        try:
            await self._upload.written()
            if self._signed:
                self._signed.check()
            if self._frames and (problem := self._frames.ended()):
                raise InvalidInput(problem)
        except BaseException:
            await self.abort()
            raise
        return stored_reply(await self._threads.run(store_body, self._store, self._call, self._incoming))

    async def abort(self) -> None:
        await self._upload.stop()
        await self._threads.run(self._incoming.discard)


def store_body(store: Store, call: Call, incoming: Incoming) -> StoredObject:
    """Make what came the body of the object that the call names, with the attributes in its headers. Blocks."""
    assert call.path is not None
    bucket, key = call.path
    try:
        check_digest(call, incoming)
        return store.put(bucket, key, incoming, attributes(call), condition(call))
    finally:
        incoming.discard()


def knows_content(call: Call) -> bool:
    """Whether the client says what the content's digest is."""
    return call.header(CONTENT) is not None


def check_digest(call: Call, incoming: Incoming) -> None:
    """InvalidInput unless what came has the digest of what the client says it sent."""
    name = CONTENT if knows_content(call) else DIGEST
    wanted = call.header(name)
    if wanted is None:
        return
    came = incoming.finish()
    if digests(came.sha256, came.content)[name] != wanted.strip().lower():
        raise InvalidInput(f"what arrived is not what was sent: {name} differs")


def attributes(call: Call) -> Mapping[str, str | None]:
    """The attributes to set together with the body."""
    return dict(attributes_in_headers(call.headers))


def stored_reply(stored: StoredObject) -> Reply:
    """201, the ETag unquoted as iwhd sent it."""
    known = digests(stored.blob.sha256, stored.blob.content) if stored.blob else {}
    return Reply(201, headers={"ETag": stored.etag, **known})
