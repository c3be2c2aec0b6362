"""The door: what happens to a connection before and around a request.

Bodies are limited while they arrive, a request has one deadline from its first byte to its last, connections are
counted. What leaves says nothing about the software behind.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import Resource

from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.errors import Busy, InvalidInput, TooLarge
from imagefactory.lib.http.channel import PacedChannel
from imagefactory.lib.http.connection_limit import LINGER_SECONDS, ConnectionLimit
from imagefactory.rest.errors import ErrorReplies, status_of

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]+)([/?].*|)", re.DOTALL)


class LimitedRequest(server.Request):
    """A request whose body is never larger than the site allows.

    `gotLength` and `handleContentChunk` are called by the channel with the announced and the arriving body; Twisted
    has no other place where a body can be refused before all of it is there.
    """

    channel: LimitedChannel
    route = ""
    """The route that answers it, for the metrics."""
    _refused = False
    _received = 0

    def gotLength(self, length: int | None) -> None:
        """The headers are complete."""
        super().gotLength(0 if length is not None and length > self.channel.site.request_limit else length)
        if length is not None and length > self.channel.site.request_limit:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body has arrived."""
        self._received += len(data)
        if self._received > self.channel.site.request_limit:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it is there."""
        if self._refused:
            return
        if absolute := _ABSOLUTE.fullmatch(path):
            self.requestHeaders.setRawHeaders(b"Host", [absolute[1]])  # RFC 9112, 3.2.2: it counts, not the header
            path = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
        super().requestReceived(command, path, version)

    def process(self) -> None:
        """Hand it to the one resource of the site."""
        self.site = self.channel.site
        self.setHeader(b"Date", http.datetimeToString(self.site.reactor.seconds()))
        self.prepath = []
        self.postpath = [unquote_to_bytes(part) for part in self.path[1:].split(b"/")]
        try:
            self.render(self.site.resource)
        except Exception:
            self.processingFailed(Failure())

    def _refuse(self) -> None:
        if self._refused:
            return
        self._refused = True
        self.requestHeaders.removeHeader(b"expect")
        limit = self.channel.site.request_limit
        self.channel.turn_away(TooLarge(f"the request is larger than {limit} bytes", hint="request_limit sets this"))


class LimitedChannel(PacedChannel):
    """A connection with one deadline per request, however slowly its bytes come."""

    site: LimitedSite
    _receiving = False
    _deaf = False
    _lingering: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """A client is at the door."""
        super().connectionMade()
        self.site.connection_limit.came(self)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        if self._lingering is not None and self._lingering.active():
            self._lingering.cancel()
        super().connectionLost(reason)
        self.site.connection_limit.went(self)

    def dataReceived(self, data: bytes) -> None:
        """The first bytes of a request start its clock, further ones do not prolong it."""
        if self._deaf:
            return
        if not self._receiving:
            self._receiving = True
            self.resetTimeout()
        LineReceiver.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        """A line of the head; what comes after a bad one is not looked at."""
        if self._deaf:
            return
        try:
            super().lineReceived(line)
        except ValueError:  # a number of more digits than Python reads
            self.bad_request()

    def rawDataReceived(self, data: bytes) -> None:
        """A part of a body."""
        if not self._deaf:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002, N802 - Twisted's
        """A line of the head is longer than anybody needs."""
        self.turn_away(InvalidInput(f"a line of the request's head is longer than {self.MAX_LENGTH} bytes"))

    def bad_request(self) -> None:
        """What Twisted calls for each thing that cannot be a request."""
        hint = "request line, headers, Content-Length and chunks are as in RFC 9112; the head has at most 16 KiB"
        self.turn_away(InvalidInput("this is no well-formed HTTP request", hint=hint))

    def allContentReceived(self) -> None:
        """The request is complete."""
        self._receiving = False
        super().allContentReceived()

    def turn_away(self, error: TooLarge | InvalidInput) -> None:
        """Answer before the request is complete, look at nothing more, and close.

        Not at once: a close with unread data resets the connection, and the client would never read the answer.
        """
        if self._deaf:
            return
        self._deaf = True
        self.write(self.site.final_reply(error))
        self._lingering = self.callLater(LINGER_SECONDS, self.loseConnection)

    def loseConnection(self) -> None:
        """Close, by force if the other side does not take its last bytes or (TLS) never says goodbye."""
        self.abort_after(self.site.timeOut or 0)
        super().loseConnection()


class LimitedSite(server.Site):
    """The site: one leaf resource behind limits (bytes, seconds, connections)."""

    noisy = False
    requestFactory = LimitedRequest
    protocol = LimitedChannel  # type: ignore[assignment]  # not the one that may become HTTP/2

    def __init__(
        self,
        resource: Resource,
        clock: IReactorTime,
        *,
        request_limit: int,
        request_timeout: float,
        max_connections: int,
        errors: ErrorReplies,
        tasks: TaskSet,
    ) -> None:
        super().__init__(resource, timeout=request_timeout, reactor=clock, parsePOSTFormSubmission=False)
        self.request_limit = request_limit
        self.tasks = tasks
        self._errors = errors
        too_many = Busy("too many connections", hint="try again later")
        self.connection_limit = ConnectionLimit(clock, max_connections, self.final_reply(too_many))

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]
        """A channel, or none if there are too many."""
        channel: Protocol = self.connection_limit.turned_away() or super().buildProtocol(addr)
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 only: the limits above are those of its channel."""
        return [b"http/1.1"]

    def log(self, request: http.Request) -> None:
        """No access log: addresses may carry what must not be seen; the metrics count."""

    def final_reply(self, error: TooLarge | InvalidInput | Busy) -> bytes:
        """Returns the whole response with which a connection is closed."""
        status = status_of(error)
        body = self._errors.reply(status, error.message, error.hint).body
        assert isinstance(body, bytes), "errors are small"
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        return head % (status, http.RESPONSES[status], len(body)) + body
