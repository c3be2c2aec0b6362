"""Which call does what: the table of the API."""

from __future__ import annotations

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import NoSpace, TooLarge
from imagefactory.lib.oauth.memory import Seen
from imagefactory.lib.oauth.verifier import FORM
from imagefactory.warehouse import names
from imagefactory.warehouse.buffered_writer import Flow
from imagefactory.warehouse.server import buckets, control, health, metadata, objects
from imagefactory.warehouse.server.body_sink import BodySink, WholeBody, attributes, knows_content
from imagefactory.warehouse.server.call import Call, Reply
from imagefactory.warehouse.server.context import NOWHERE, Operation, Peers, WarehouseContext
from imagefactory.warehouse.server.errors import StatusError
from imagefactory.warehouse.server.sessions import UploadSessions, part_of
from imagefactory.warehouse.server.users import Users, signed_at_all
from imagefactory.warehouse.store.local import Store

__all__ = ["NOWHERE", "Application", "Peers"]

#: (method, number of names in the path): HEAD is answered as GET, and the rest of the API is in `_special`.
OPERATIONS: dict[tuple[str, int], Operation] = {
    ("GET", 0): buckets.root,
    ("POST", 0): control.status,
    ("PUT", 1): buckets.create,
    ("GET", 1): buckets.listing,
    ("POST", 1): metadata.set_many,
    ("DELETE", 1): buckets.delete,
    ("GET", 2): objects.get,
    ("POST", 2): control.operate,
    ("DELETE", 2): objects.delete,
    ("PUT", 3): metadata.put,
    ("GET", 3): metadata.get,
    ("DELETE", 3): metadata.delete,
}


_RESERVED: dict[tuple[str, int, str], Operation] = {
    ("GET", 1, "_metrics"): health.metrics,
    ("POST", 1, "_new"): buckets.create_by_form,
    ("POST", 2, "_query"): buckets.query,
}


class Application(WarehouseContext):
    """The warehouse's API over one store; knows HTTP as values only."""

    def __init__(
        self,
        store: Store,
        threads: Threads,
        clock: Clock,
        users: Users | None = None,
        peers: Peers = NOWHERE,
        *,
        bulk: Threads | None = None,
    ) -> None:
        super().__init__(store, threads, clock, users, peers, bulk=bulk)
        self.sessions = UploadSessions(store, self.bulk, clock, self)

    async def close(self) -> None:
        """Drop unfinished uploads, and do nothing more in the background."""
        await self.sessions.close()
        await self.checks.close()

    def streams(self, call: Call) -> bool:
        """Whether the body goes to the store as it comes: `PUT /BUCKET/KEY`."""
        return call.method == "PUT" and call.path is not None and len(call.path) == 2 and call.path[0] != "_providers"

    async def admit(self, call: Call, length: int | None, flow: Flow) -> BodySink:
        """Decide on a streamed body before it is read: who, names, bucket, room. `length` None: not known."""
        if self.users:
            await self.users.commit(self.users.verify(call))
        assert call.path is not None
        _check_names(call)
        part = part_of(call)
        await self.threads.run(self._check_room, call.path[0], length)
        if part is not None:
            return await self.sessions.admit(call, part, length, flow)
        incoming = await self.bulk.run(self.store.blobs.receive, content=knows_content(call))
        try:
            return WholeBody(call, incoming, self, flow)
        except BaseException:
            await self.bulk.run(incoming.discard)
            raise

    def _check_room(self, bucket: str, length: int | None) -> None:
        if not self.store.has_bucket(bucket):
            raise StatusError(500, "there is no such bucket")
        free = self.store.blobs.free()
        if length is not None and free is not None and length > free:
            raise NoSpace(f"the body has {length} bytes, {free} are free")

    def verify_head(self, call: Call) -> Seen | None:
        """Check the signature of a call whose body is still to come; Unauthorized.

        Returns None if it is seen only with the body, because the fields of a form are part of it, or if calls are not
        signed here.
        """
        if self.users is None or call.path == ("_health",):
            return None
        if call.content_type == FORM:
            signed_at_all(call)
            return None
        return self.users.verify(call)

    async def answer(self, call: Call, *, signed: Seen | None = None) -> Reply:
        """The reply to a call whose body has come; `signed`: what `verify_head` returned for it."""
        if call.path == ("_health",) and call.method in {"GET", "HEAD"}:
            return await health.health(self, call)
        if signed is not None and self.users:
            self._check_body(call)
            await self.users.commit(signed)
        elif self.users:
            await self.users.check_whole(call, self.bulk)
        return await _operation(call)(self, call)

    def _check_body(self, call: Call) -> None:
        seen = self.body_hash(call)
        if seen is not None:
            seen.update(call.body)
            seen.check()

    def too_large(self, call: Call) -> Exception:
        """Why a call is refused whose body is too large to be kept in memory."""
        try:
            known = _operation(call) is not _nothing
        except StatusError as error:
            return error
        return TooLarge("the body is too large") if known else StatusError(404, "there is no such operation")


def _operation(call: Call) -> Operation:
    if call.path is None:
        raise StatusError(404, "no such path")
    operation = _special(call) or OPERATIONS.get(_place(call))
    if operation is None:
        raise StatusError(404, "there is no such operation")
    return operation


def _place(call: Call) -> tuple[str, int]:
    method = "GET" if call.method == "HEAD" else call.method
    return method, len(call.path or ())


def _special(call: Call) -> Operation | None:
    """The operations whose names are reserved words."""
    method, depth = _place(call)
    path = call.path or ()
    if path[:1] == ("_providers",):
        if method != "GET" and call.header("origin") is not None:
            return control.refuse_page
        return control.PROVIDERS.get((method, depth), _nothing)
    if path[:1] == ("_health",) or (path[:1] == ("_metrics",) and (method, depth) != ("GET", 1)):
        return _nothing
    if path[2:] == ("_attrs",):
        return metadata.listing if method == "GET" else _nothing
    return _RESERVED.get((method, depth, path[-1])) if path else None


async def _nothing(_: WarehouseContext, __: Call) -> Reply:
    raise StatusError(404, "there is no such operation")


def _check_names(call: Call) -> None:
    assert call.path is not None
    bucket, key = call.path
    if key == "_query" or bucket in names.RESERVED_BUCKETS:
        raise StatusError(404, "no body can be there")
    if key in names.RESERVED_KEYS or call.header("x-redhat-role") is not None:
        raise StatusError(403, "no body may be put there")
    names.check_all(key, attributes(call))
