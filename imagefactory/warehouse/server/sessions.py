"""Uploads that survive a broken connection.

A client that names its upload (`X-Warehouse-Upload: NAME`) sends the body in parts, each a PUT of the same URL with
`Content-Range: bytes FIRST-LAST/SIZE`. What has arrived stays, also of a part that broke off. `Content-Range: bytes
*/SIZE` without a body asks how much that is, and changes nothing. The part that completes the body stores it, and is
answered like a plain PUT; the others are answered 202 with `X-Warehouse-Offset`. Uploads are forgotten after an hour of
silence, and when the server ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.lib.oauth.verifier import BodyHash
from imagefactory.warehouse.buffered_writer import BufferedWriter, Flow
from imagefactory.warehouse.server.body_sink import BodySink, knows_content, store_body, stored_reply
from imagefactory.warehouse.server.call import Call, Reply
from imagefactory.warehouse.server.context import WarehouseContext
from imagefactory.warehouse.server.errors import StatusError
from imagefactory.warehouse.server.users import hashing
from imagefactory.warehouse.store.blobs import Receiving
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.wire import UPLOAD_NAME, UPLOAD_OFFSET

FORGET_AFTER = 3600
MOST = 256
_RANGE = re.compile(r"bytes\s+(?:\*|(\d{1,18})-(\d{1,18}))/(\d{1,18})")


@dataclass(eq=False, slots=True)
class UploadSession:
    """One named upload; `busy` while a connection feeds it."""

    incoming: Receiving
    size: int
    touched: float
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What a Content-Range says, `last` included; `first` None: only a question."""

    first: int | None
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes come with it."""
        return 0 if self.first is None else self.last + 1 - self.first


def part_of(call: Call) -> Part | None:
    """The part that the call sends; None for a plain PUT. InvalidInput."""
    text = call.header("content-range")
    if text is None:
        return None
    found = _RANGE.fullmatch(text.strip())
    if found is None or not call.header(UPLOAD_NAME):
        raise InvalidInput(f"a part needs {UPLOAD_NAME} and Content-Range: bytes FIRST-LAST/SIZE")
    part = Part(int(found[1]), int(found[2]), int(found[3])) if found[1] else Part(None, 0, int(found[3]))
    if part.first is not None and not part.first <= part.last < part.size:
        raise InvalidInput("the range is not within the body")
    return part


class UploadSessions:
    """All named uploads of a server."""

    def __init__(self, store: Store, threads: Threads, clock: Clock, app: WarehouseContext) -> None:
        self.app = app
        self._store = store
        self._threads = threads
        self._clock = clock
        self._open: dict[tuple[str, ...], UploadSession] = {}

    async def admit(self, call: Call, part: Part, length: int | None, flow: Flow) -> BodySink:
        """Go on with an upload, begin it, or say how far it is; 409 with the offset if the part does not follow what
        is there. `length` of the body, None if it is not known. InvalidInput."""
        if (length is None and part.first is None) or length not in {None, part.length}:
            raise InvalidInput("the body is not as long as Content-Range says")
        await self._forget()
        assert call.path is not None
        key = (*call.path, call.header(UPLOAD_NAME) or "")
        session = self._open.get(key)
        if session is not None and session.busy:
            raise Conflict("another connection feeds this upload")
        here = 0 if session is None else session.incoming.size
        if part.first not in {None, here} or (session is not None and session.size != part.size):
            raise StatusError(409, "the part does not follow what is there", headers={UPLOAD_OFFSET: str(here)})
        if part.first is None:
            return ImmediateReply(Reply(202, headers={UPLOAD_OFFSET: str(here)}))
        session = session or await self._begin(key, call, part)
        session.busy = True
        return PartBody(call, session, part, self, flow)

    async def _begin(self, key: tuple[str, ...], call: Call, part: Part) -> UploadSession:
        if len(self._open) >= MOST:
            raise StatusError(503, "too many uploads are open")
        incoming = await self._threads.run(self._store.blobs.receive, content=knows_content(call))
        if key in self._open:  # meanwhile another connection has begun the same
            await self._threads.run(incoming.discard)
            raise Conflict("another connection feeds this upload")
        self._open[key] = session = UploadSession(incoming, part.size, self._clock.seconds())
        return session

    async def end(self, session: UploadSession, call: Call) -> Reply:
        """A part has come: say how far it is, or store the whole."""
        if session.incoming.size < session.size:
            await self.leave(session)
            return Reply(202, headers={UPLOAD_OFFSET: str(session.incoming.size)})
        self._drop(session)
        return stored_reply(await self._threads.run(store_body, self._store, call, session.incoming))

    async def leave(self, session: UploadSession) -> None:
        """No connection feeds it for now: nothing is kept open for it."""
        await self._threads.run(session.incoming.rest)
        session.busy, session.touched = False, self._clock.seconds()

    async def discard(self, session: UploadSession) -> None:
        """Forget an upload and what arrived of it."""
        self._drop(session)
        await self._threads.run(session.incoming.discard)

    async def close(self) -> None:
        """Forget all."""
        for session in list(self._open.values()):
            await self.discard(session)

    def upload(self, session: UploadSession, flow: Flow, seen: BodyHash | None) -> BufferedWriter:
        """What feeds the session from one connection."""
        return BufferedWriter(hashing(seen, session.incoming.write), self._threads, flow, self.app.uploads)

    async def _forget(self) -> None:
        old = self._clock.seconds() - FORGET_AFTER
        for session in [one for one in self._open.values() if not one.busy and one.touched < old]:
            await self.discard(session)

    def _drop(self, session: UploadSession) -> None:
        for key in [key for key, one in self._open.items() if one is session]:
            del self._open[key]


class ImmediateReply:
    """A `BodySink` for a call without a body, whose reply is known."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def add(self, data: bytes) -> None:
        """There is no body."""

    async def finish(self) -> Reply:
        return self._reply

    async def abort(self) -> None:
        """Nothing was begun."""


class PartBody:
    """A `BodySink` of one part."""

    def __init__(self, call: Call, session: UploadSession, part: Part, sessions: UploadSessions, flow: Flow) -> None:
        self._call = call
        self._session = session
        self._sessions = sessions
        self._left = part.length  # less than nothing if more comes
        self._signed = sessions.app.body_hash(call)
        self._upload = sessions.upload(session, flow, self._signed)

    def add(self, data: bytes) -> None:
        if self._left > 0:
            self._upload.add(data[: self._left])
        self._left -= len(data)

    async def finish(self) -> Reply:
        try:
            await self._upload.written()
            if self._signed and not self._left:
                self._signed.check()
        except BaseException:
            await self._sessions.discard(self._session)
            raise
        if self._left:
            await self._sessions.leave(self._session)
            raise StatusError(
                400,
                "the body is not as long as Content-Range says",
                headers={UPLOAD_OFFSET: str(self._session.incoming.size)},
            )
        return await self._sessions.end(self._session, self._call)

    async def abort(self) -> None:
        """What has arrived stays, for the client to go on; unless it could not be written."""
        await self._upload.settled()
        if self._upload.broken:
            await self._sessions.discard(self._session)
        else:
            await self._sessions.leave(self._session)
