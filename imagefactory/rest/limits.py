"""Limits on connections and requests, before any handler sees them.

Bodies are limited while they arrive, a request has one deadline from its first byte to its last, connections are
counted. No response names the software of the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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

    The channel calls `gotLength` and `handleContentChunk` with the announced and the arriving body; Twisted has no
    other place where a body can be refused before all of it is there.
    """

    channel: LimitedChannel
    route = ""
    """The name of its route, for the metrics."""
    _refused = False
    _received = 0

    def gotLength(self, length: int | None) -> None:
        """See Twisted's Request: the headers are complete."""
        super().gotLength(0 if length is not None and length > self.channel.site.request_limit else length)
        if length is not None and length > self.channel.site.request_limit:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """See Twisted's Request: a part of the body has arrived."""
        self._received += len(data)
        if self._received > self.channel.site.request_limit:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """See Twisted's Request: it is complete."""
        if self._refused:
            return
        if absolute := _ABSOLUTE.fullmatch(path):
            self.requestHeaders.setRawHeaders(b"Host", [absolute[1]])  # RFC 9112, 3.2.2: it counts, not the header
            path = absolute[2] if absolute[2].startswith(b"/") else b"/" + absolute[2]
        super().requestReceived(command, path, version)

    def process(self) -> None:
        """Render the one resource of the site, which finds the one that is meant."""
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
        self.channel.refuse(TooLarge(f"the request is larger than {limit} bytes", hint="request_limit sets this"))


class LimitedChannel(PacedChannel):
    """A connection with one deadline per request, however slowly its bytes come."""

    site: LimitedSite
    _receiving = False
    _refused = False
    _lingering: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """See Protocol."""
        super().connectionMade()
        self.site.connection_limit.came(self)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See Protocol."""
        if self._lingering is not None and self._lingering.active():
            self._lingering.cancel()
        super().connectionLost(reason)
        self.site.connection_limit.went(self)

    def dataReceived(self, data: bytes) -> None:
        """See Protocol: the first bytes of a request start its deadline, further ones do not prolong it."""
        if self._refused:
            return
        if not self._receiving:
            self._receiving = True
            self.resetTimeout()
        LineReceiver.dataReceived(self, data)

    def lineReceived(self, line: bytes) -> None:
        """See LineReceiver: a line of the head; what follows a bad one is ignored."""
        if self._refused:
            return
        try:
            super().lineReceived(line)
        except ValueError:  # a number of more digits than Python reads
            self.bad_request()

    def rawDataReceived(self, data: bytes) -> None:
        """See LineReceiver: a part of a body."""
        if not self._refused:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002, N802 - Twisted's
        """See LineReceiver: a line of the head is too long."""
        self.refuse(InvalidInput(f"a line of the request's head is longer than {self.MAX_LENGTH} bytes"))

    def bad_request(self) -> None:
        """See PacedChannel: the client sent no well-formed request."""
        hint = "request line, headers, Content-Length and chunks are as in RFC 9112; the head has at most 16 KiB"
        self.refuse(InvalidInput("this is no well-formed HTTP request", hint=hint))

    def allContentReceived(self) -> None:
        """See HTTPChannel: the request is complete."""
        self._receiving = False
        super().allContentReceived()

    def refuse(self, error: TooLarge | InvalidInput) -> None:
        """Respond before the request is complete, ignore what follows, and close.

        The close comes later: one with unread data resets the connection, and the client would never read the response.
        """
        if self._refused:
            return
        self._refused = True
        self.write(self.site.final_reply(error))
        self._lingering = self.callLater(LINGER_SECONDS, self.loseConnection)

    def loseConnection(self) -> None:
        """Close, by force if the client does not take the last bytes or does not end TLS (close_notify)."""
        self.abort_after(self.site.timeOut or 0)
        super().loseConnection()


class LimitedSite(server.Site):
    """One leaf resource behind limits.

    Args:
        request_limit: bytes of a body.
        request_timeout: seconds for a request, from its first byte to its last.
        max_connections: how many may be open.
        errors: writes the responses to refused requests.
        tasks: owns the work that requests have started; the owner of the site closes it.
        each: how many one address may have open (None: as many as all), which is not loopback nor one of `proxies`.
    """

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
        each: int | None = None,
        proxies: Iterable[str] = (),
    ) -> None:
        super().__init__(resource, timeout=request_timeout, reactor=clock, parsePOSTFormSubmission=False)
        self.request_limit = request_limit
        self.tasks = tasks
        self._errors = errors
        too_many = Busy("too many connections", hint="try again later")
        self.connection_limit = ConnectionLimit(
            clock, max_connections, self.final_reply(too_many), each=each, exempt=proxies
        )

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]
        """See Factory: returns a channel, or a protocol that refuses if there are too many connections."""
        channel: Protocol = self.connection_limit.turned_away(addr) or super().buildProtocol(addr)
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """See IProtocolNegotiationFactory: HTTP/1.1 only, since the limits are those of its channel."""
        return [b"http/1.1"]

    def log(self, request: http.Request) -> None:
        """See HTTPFactory: there is no access log, because addresses may carry secrets; the metrics count."""

    def final_reply(self, error: TooLarge | InvalidInput | Busy) -> bytes:
        """Returns the whole response with which a connection is closed."""
        status = status_of(error)
        body = self._errors.reply(status, error.message, error.hint).body
        assert isinstance(body, bytes), "errors are small"
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        return head % (status, http.RESPONSES[status], len(body)) + body
