"""A body on its way from the warehouse."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import TooLarge
from imagefactory.warehouse.buffered_writer import BufferedWriter
from imagefactory.warehouse.client.timeouts import IdleTimeout

_SHORT = 64 << 10


class IncomingResponse:
    """A reply whose body has not come yet; one of the methods must be called, once."""

    def __init__(self, response: IResponse, patience: IdleTimeout) -> None:
        self.status: int = response.code
        self.length: int | None = response.length if isinstance(response.length, int) else None
        self._response = response
        self._patience = patience
        self._headers: Headers = response.headers

    def header(self, name: str) -> str:
        """The last header of this name; empty if there is none."""
        values = self._headers.getRawHeaders(name) or [""]
        return values[-1].strip()

    async def read(self, limit: int) -> bytes:
        """The body; TooLarge."""
        data = bytearray()

        def take(part: bytes) -> None:
            data.extend(part)
            if len(data) > limit:
                raise TooLarge(f"the answer has more than {limit} bytes")

        await self._deliver(_Stream(take, self._patience))
        return bytes(data)

    async def save(self, write: Callable[[bytes], None], threads: Threads) -> None:
        """Write the body in threads, as fast as they can; what arrived before an error is written, too."""

        def take(data: bytes) -> None:
            upload.add(data)

        stream = _Stream(take, self._patience)
        upload = BufferedWriter(write, threads, stream)
        try:
            await self._deliver(stream)
        finally:
            await upload.written()

    async def skip(self) -> None:
        """The body is of no interest: a short one is read, so that the connection can be used again."""
        if self.length is not None and self.length <= _SHORT:
            await self.read(_SHORT)
            return
        stream = _Stream(lambda _: None, self._patience)
        self._response.deliverBody(stream)
        stream.stop()

    async def _deliver(self, stream: _Stream) -> None:
        self._response.deliverBody(stream)
        await stream.done


class _Stream(Protocol):
    """Feeds `take`, whose errors end it; also a `Flow`."""

    transport: ITransport

    def __init__(self, take: Callable[[bytes], None], patience: IdleTimeout) -> None:
        self._take = take
        self._patience = patience
        self._over = False
        self.done: Deferred[None] = Deferred(lambda _: self.stop())

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        self._patience.moved()
        try:
            self._take(data)
        except Exception as error:
            self.failed(error)

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:  # noqa: B008 - Twisted's default
        if not self._over:
            self._over = True
            self.done.callback(None if reason.check(ResponseDone) else reason)

    def stop(self) -> None:
        """Take nothing more; the connection goes with it."""
        if not self._over:
            self._over = True
            self.transport.loseConnection()

    def pause(self) -> None:
        self._patience.hold()
        if not self._over:
            self.transport.pauseProducing()  # type: ignore[attr-defined]

    def resume(self) -> None:
        self._patience.release()
        if not self._over:
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    def failed(self, error: Exception) -> None:
        if not self._over:
            self.stop()
            self.done.errback(error)
