"""Sending a stored body: read in a thread, one block ahead, as fast as the client takes it."""

from __future__ import annotations

from hashlib import sha256

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.web.http import Request
from zope.interface import implementer

from imagefactory.concurrency.clock import Clock, timeout
from imagefactory.concurrency.task import Task
from imagefactory.concurrency.threads import Threads
from imagefactory.warehouse.pace import Paced
from imagefactory.warehouse.server.content import Content, Piece
from imagefactory.warehouse.store.local import Store

BLOCK = 1 << 20
TLS_BLOCK = 256 << 10  # larger ones cost Twisted's TLS twice the processor time
STALLED = 300
"""Seconds that a client may take nothing of a body before it is given up."""

_log = Logger()


@implementer(IPushProducer)
class Download(Paced):
    """One body to one request.

    A body that is sent whole is hashed on the way, unless it was so not long ago. Its last block is held back until the
    digest is right: a client never gets all of a damaged body, but sees the connection break, and the damage is noted.
    """

    def __init__(self, request: Request, content: Content, store: Store, threads: Threads, clock: Clock) -> None:
        super().__init__()
        self._request = request
        self._clock = clock
        self._content = content
        self._store = store
        self._threads = threads
        self._hash = sha256() if self._is_doubtful() else None

    async def send(self) -> bool:
        """Send all; False if the client went away, or the body is damaged (then the connection is broken off)."""
        self._request.registerProducer(self, True)
        try:
            return await self._send()
        finally:
            if self._request.channel is not None:  # still connected
                self._request.unregisterProducer()
            await self._threads.run(self._content.reader.close)

    async def _send(self) -> bool:
        blocks = self._content.blocks(TLS_BLOCK if self._request.isSecure() else BLOCK)
        block = next(blocks, None)
        ahead = self._ahead(block)
        while ahead is not None:
            data = await ahead
            block = next(blocks, None)
            ahead = self._ahead(block)
            if block is None and not await self._intact():
                return False
            if not await self._ready():
                await self._settle(ahead)
                return False
            self._request.write(data)
        return True

    async def _ready(self) -> bool:
        """Wait until the client takes more; False if it is gone, or took nothing for too long."""
        if self._paused is not None:
            try:
                await timeout(self._clock, STALLED, self._paused)
            except TimeoutError:
                self._stopped = True
                if self._request.channel is not None:
                    self._request.channel.forceAbortClient()
        return not self._stopped

    def _ahead(self, block: Piece | None) -> Task[bytes] | None:
        return None if block is None else Task(self._threads.run(self._read, block))

    async def _settle(self, ahead: Task[bytes] | None) -> None:
        if ahead is not None:
            await ahead.settled()

    def _read(self, block: Piece) -> bytes:
        if isinstance(block, bytes):
            return block
        data = self._content.reader.read(*block)
        if self._hash is not None:
            self._hash.update(data)
        return data

    def _is_doubtful(self) -> bool:
        blob = self._content.stored.blob
        return self._content.whole and blob is not None and not self._store.trust.holds(blob, self._content.reader)

    async def _intact(self) -> bool:
        blob = self._content.stored.blob
        if self._hash is None or blob is None:
            return True
        if self._hash.hexdigest() == blob.sha256:
            self._store.trust.add(blob, self._content.reader)
            return True
        _log.error("the body of {bucket}/{key} (blob {blob}) is damaged", **_names(self._content), blob=blob.id)
        await self._threads.run(self._store.mark_damaged, blob.id)
        if self._request.channel is not None:
            self._request.channel.forceAbortClient()
        return False


def _names(content: Content) -> dict[str, str]:
    return {"bucket": content.stored.bucket, "key": content.stored.key}
