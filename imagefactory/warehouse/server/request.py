"""One HTTP request: its body is refused, streamed or kept small, and it is answered once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString

from imagefactory import __version__
from imagefactory.lib.oauth.memory import Seen
from imagefactory.lib.twisted_private.http import RequestInternals
from imagefactory.warehouse.server.body_sink import BodySink
from imagefactory.warehouse.server.call import Call, Reply, split_path
from imagefactory.warehouse.server.content import Content
from imagefactory.warehouse.server.download import ContentSender
from imagefactory.warehouse.server.errors import reply_to
from imagefactory.warehouse.server.pages import Pages
from imagefactory.warehouse.server.sending import PagesSender

if TYPE_CHECKING:
    from imagefactory.warehouse.server.application import Application

SERVER = f"imagewarehouse/{__version__}"
LARGEST_BODY = 12 << 20
"""Bytes of a body that is not streamed: an attribute of full size, as a form with every byte escaped."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_log = Logger()


class WarehouseRequest(RequestInternals):
    """A request of the channel in `site`, which calls `began` as soon as the headers are there.

    A call that is refused before its body has come is answered at once; the body is then thrown away as it comes, so
    that a client that sends before it reads still gets the answer, and the connection ends with it.
    """

    channel: Any  # a WarehouseChannel; None once the connection is lost
    _call: Call
    _reception: BodySink | None = None
    _refused = False  # answered already, the rest of the body is of no interest
    _complete = False  # the body has come
    _streams = False
    _signed: Seen | None = None  # its signature was checked already
    _size = 0

    def began(self, method: bytes, uri: bytes, version: bytes, length: int | None) -> None:
        """The headers are there; `length` of the body, None if it is not known."""
        self.method, self.uri, self.clientproto = method, uri, version
        self.path = uri.partition(b"?")[0]
        self._early: list[bytes] = []
        self._app: Application = self.channel.site.application
        self._app.metrics.open += 1
        self._call = Call(
            method.decode("latin-1"), uri.decode("latin-1"), split_path(uri), self.requestHeaders, self.isSecure()
        )
        self._streams = self._app.streams(self._call)
        if self._streams:
            self.channel.read_more_at_once()
            self._run(self._admit(length))
        elif length is not None and length > LARGEST_BODY:
            self._refuse(self._app.too_large(self._call))
        else:
            self._verify_head()

    def _verify_head(self) -> None:
        """Who waits for leave to send a body that is kept in memory hears first whether he is known."""
        try:
            self._signed = self._app.verify_head(self._call) if self._waits() else None
        except Exception as error:
            self._refuse(error)
        else:
            self._continue()

    async def _admit(self, length: int | None) -> None:
        self.pause()
        try:
            self._reception = await self._app.admit(self._call, length, self)
        except CancelledError:
            raise
        except Exception as error:
            self.resume()  # before the answer, which may end the request, and with the connection's next one to come
            self._refuse(error)
            return
        try:
            await self._receive(self._reception)
        except BaseException:
            await self._reception.abort()
            raise

    async def _receive(self, reception: BodySink) -> None:
        self.resume()
        if self.disconnected:
            await reception.abort()
            return
        self._continue()
        for data in self._early:
            reception.add(data)
        self._early.clear()
        if self._complete:
            await self._finish(reception)

    def _continue(self) -> None:
        """Tell a client that waits for it to send the body (RFC 9110, 10.1.1)."""
        if self._waits() and not self._complete:
            self.channel.transport.write(_CONTINUE)

    def _waits(self) -> bool:
        return self.clientproto == b"HTTP/1.1" and (self._call.header("expect") or "").lower() == "100-continue"

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body."""
        self._app.metrics.received += len(data)
        if self._refused:
            return
        if self._reception is not None:
            self._reception.add(data)
            return
        self._early.append(data)
        self._size += len(data)
        if not self._streams and self._size > LARGEST_BODY:
            self._refuse(self._app.too_large(self._call))

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: ARG002
        """All of the body has come."""
        self._complete = True
        if self._refused:
            self._end()
        elif not self._streams:
            self._run(self._answer(self._call.with_body(b"".join(self._early))))
        elif self._reception is not None:
            self._run(self._finish(self._reception))

    async def _finish(self, reception: BodySink) -> None:
        try:
            reply = await reception.finish()
        except CancelledError:
            raise
        except Exception as error:
            reply = reply_to(error, self._call)
        if not self._refused:
            await self._send(reply)

    async def _answer(self, call: Call) -> None:
        try:
            reply = await self._app.answer(call, signed=self._signed)
        except CancelledError:
            raise
        except Exception as error:
            reply = reply_to(error, call)
        await self._send(reply)

    def failed(self, error: Exception) -> None:
        """Writing the body went wrong while more of it is coming (see `Flow`)."""
        reception, self._reception = self._reception, None
        if self._complete or reception is None:  # `finish` sees the error itself
            self._reception = reception
            return
        self._refuse(error)
        self.resume()
        self._run(reception.abort())

    def _refuse(self, error: Exception) -> None:
        if self.disconnected or self._refused:
            return
        self._refused = True
        self._early.clear()
        if not self._complete:
            self.setHeader("Connection", "close")
            self.channel.persistent = False
        reply = reply_to(error, self._call)
        assert isinstance(reply.body, bytes)
        self._head(reply, len(reply.body))
        self.write(reply.body)
        if self._complete:
            self._end()

    async def _send(self, reply: Reply) -> None:
        if self.disconnected:
            if isinstance(reply.body, Content):
                await self._app.bulk.run(reply.body.reader.close)
            return
        match reply.body:
            case bytes() as body:
                self._head(reply, len(body))
                self.write(body)
                self._end()
            case Pages() as pages:
                await self._send_pages(reply, pages)
            case Content() as content:
                await self._send_content(reply, content)

    async def _send_pages(self, reply: Reply, pages: Pages) -> None:
        self._head(reply, None)
        if self.method == b"HEAD":
            self.write(b"")
        elif not await PagesSender(self, pages, self._app.threads, self._app.clock).send():
            return
        self._end()

    async def _send_content(self, reply: Reply, content: Content) -> None:
        self._head(reply, content.length)
        self.write(b"")
        if self.method == b"HEAD":
            await self._app.bulk.run(content.reader.close)
            self._end()
            return
        self.channel.write_more_at_once()
        if await ContentSender(self, content, self._app).send():
            self._end()

    def _head(self, reply: Reply, length: int | None) -> None:
        """`length` of the body; None: it goes out in chunks."""
        self.setResponseCode(reply.status)
        self.setHeader("Server", SERVER)
        self.setHeader("X-Warehouse", "1")  # how our client knows us, through any proxy
        self.setHeader("Date", datetimeToString())
        for name, value in reply.headers.items():
            self.setHeader(name, value)
        if reply.status != 304 and length is not None:
            self.setHeader("Content-Length", str(length))

    def _end(self) -> None:
        if not self.disconnected:
            self.finish()
            self._gone()

    def _gone(self) -> None:
        self._app.metrics.open -= 1
        self._app.metrics.sent += self.sentLength
        self._app.metrics.answered(self._call.method, self.code)

    def connectionLost(self, reason: Failure) -> None:
        """The client went away: what was half stored is dropped."""
        super().connectionLost(reason)
        if not hasattr(self, "_call"):
            return
        self._gone()
        self._early.clear()
        reception, self._reception = self._reception, None
        if reception is not None and not self._complete:
            self._run(reception.abort())

    def pause(self) -> None:
        """Take no more from the client for now (see `Flow`)."""
        if not self.disconnected:
            self.channel.transport.pauseProducing()

    def resume(self) -> None:
        """Take more (see `Flow`)."""
        if not self.disconnected:
            self.channel.transport.resumeProducing()

    def _run(self, work: Any) -> None:
        Deferred.fromCoroutine(work).addErrback(self._unexpected)

    def _unexpected(self, failure: Failure) -> None:
        _log.failure("a request could not be ended well: {method} {path}", failure, method=self.method, path=self.path)
        if not self.disconnected:
            self.channel.transport.abortConnection()
