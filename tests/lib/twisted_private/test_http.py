"""The private names of twisted.web, each with what it does.

If a test here fails with a new version of Twisted, `imagefactory/lib/twisted_private/http.py` has to change, and no
other module.
"""

from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, HTTPConnectionPool, ResponseNeverReceived
from twisted.web.http import HTTPFactory
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from imagefactory.lib.twisted_private.http import (
    ChannelInternals,
    RequestInternals,
    RequestNotSent,
    abort_request,
)
from imagefactory.testing.wire import Pipe

HEAD = b"PUT /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"


class Kept(RequestInternals):
    """A request that is answered when the test says so."""

    requests: ClassVar["list[Kept]"] = []

    def process(self) -> None:
        """See Request."""
        self.requests.append(self)


class Channel(ChannelInternals):
    """Notes heads and bad requests."""

    requestFactory = Kept

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[tuple[bytes, bytes, bytes]] = []
        self.bad = 0

    def allHeadersReceived(self) -> None:
        """See HTTPChannel."""
        self.heads.append(self.head)
        super().allHeadersReceived()

    def bad_request(self) -> None:
        """See ChannelInternals."""
        self.bad += 1
        super().bad_request()


class ServerTests(SynchronousTestCase):
    """Channel and request."""

    def setUp(self) -> None:
        self.patch(Kept, "requests", [])
        self.clock = Clock()
        factory = HTTPFactory(timeout=None, reactor=self.clock)
        factory.protocol = Channel  # type: ignore[assignment]
        self.channel = factory.buildProtocol(None)
        self.pipe = Pipe()
        self.pipe.protocol = self.channel
        self.channel.callLater = self.clock.callLater
        self.channel.makeConnection(self.pipe)

    def test_head(self) -> None:
        """`_command`, `_path` and `_version` are there before the body."""
        self.channel.dataReceived(HEAD)
        self.assertEqual(self.channel.heads, [(b"PUT", b"/a?b", b"HTTP/1.1")])
        self.assertEqual(Kept.requests, [])

    def test_unread(self) -> None:
        """`_buffer` has the beginning of a line."""
        self.channel.dataReceived(HEAD + b"abc")
        self.channel.requests[0].finish()
        self.channel.dataReceived(b"GET /")
        self.assertEqual(self.channel.unread, b"GET /")

    def test_handling_and_held(self) -> None:
        """`_handlingRequest` and `_dataBuffer`: what comes while a request is answered is put aside."""
        self.assertFalse(self.channel.is_handling)
        self.channel.dataReceived(HEAD + b"abc")
        self.assertTrue(self.channel.is_handling)
        self.channel.dataReceived(b"more")
        self.assertEqual(self.channel.release(), b"more")
        self.assertFalse(self.channel.is_handling)
        self.channel.hold(b"a")
        self.channel.dataReceived(b"b")
        self.assertEqual((self.channel.is_handling, self.channel.release()), (True, b"ab"))

    def test_reading_is_paused(self) -> None:
        """`_networkProducer` is what reads from the client."""
        self.channel.pause_reading()
        self.assertEqual(self.pipe.producerState, "paused")
        self.channel.resume_reading()
        self.assertEqual(self.pipe.producerState, "producing")

    def test_transport_is_full(self) -> None:
        """`_waitingForTransport` holds from when the transport asks to wait until it asks for more."""
        self.assertFalse(self.channel.transport_is_full)
        self.pipe.room = 10
        self.channel.dataReceived(HEAD + b"abc")
        Kept.requests[0].write(b"x" * 100)
        self.assertTrue(self.channel.transport_is_full)
        self.channel.resumeProducing()
        self.assertFalse(self.channel.transport_is_full)

    def test_abort_after(self) -> None:
        """`_abortingCall` is one call; `forceAbortClient` ends the connection."""
        self.channel.abort_after(3)
        self.channel.abort_after(1)
        self.clock.advance(2)
        self.assertTrue(self.pipe.connected)
        self.clock.advance(1)
        self.assertFalse(self.pipe.connected)

    def test_an_aborting_connection_that_ends(self) -> None:
        """Twisted itself cancels `_abortingCall` when the connection is lost."""
        self.channel.abort_after(3)
        self.pipe.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_headers_so_far(self) -> None:
        """`__first_line` is unset within a head, and `__header` is the line before this one."""
        self.assertFalse(self.channel.in_head)
        self.channel.dataReceived(b"GET / HTTP/1.1\r\n")
        self.assertTrue(self.channel.in_head)
        self.assertEqual(self.channel.headers_so_far, [])
        self.channel.dataReceived(b"Host: x\r\nA: b\r\n")
        self.assertEqual(self.channel.headers_so_far, [(b"Host", b"x"), (b"A", b" b")])
        self.channel.dataReceived(b"\r\n")
        self.assertFalse(self.channel.in_head)

    def test_bad_request(self) -> None:
        """`_respondToBadRequestAndDisconnect` is called for what cannot be a request, and answers 400."""
        self.channel.dataReceived(b"nonsense\r\n\r\n")
        self.assertEqual(self.channel.bad, 1)
        self.assertIn(b" 400 ", self.pipe.value())
        self.assertFalse(self.pipe.connected)

    def test_disconnected(self) -> None:
        """`_disconnected` holds once the connection is lost."""
        self.channel.dataReceived(HEAD + b"abc")
        (request,) = Kept.requests
        self.assertFalse(request.disconnected)
        self.pipe.loseConnection()
        self.assertTrue(request.disconnected)


class IgnoringProtocol:
    """Does nothing when the connection is lost."""

    def connectionLost(self, reason: object) -> None:
        """See Protocol."""


@implementer(IBodyProducer)
class Body:
    """A body that is being sent when the test looks."""

    length = 3

    def startProducing(self, consumer: object) -> "Deferred[None]":
        """See IBodyProducer."""
        self.consumer = consumer
        return Deferred()

    def stopProducing(self) -> None:
        """See IBodyProducer."""

    def pauseProducing(self) -> None:
        """See IBodyProducer."""

    def resumeProducing(self) -> None:
        """See IBodyProducer."""


class ClientTests(SynchronousTestCase):
    """Requests of an agent."""

    def request(self) -> tuple[Body, Pipe, "Deferred[object]"]:
        """One whose body is on its way."""
        reactor = MemoryReactorClock()
        body = Body()
        asked = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False)).request(
            b"PUT", b"http://127.0.0.1/", None, body
        )
        factory = reactor.tcpClients[0][2]
        transport = Pipe()
        transport.protocol = IgnoringProtocol()
        factory.buildProtocol(None).makeConnection(transport)
        return body, transport, asked

    def test_abort_request(self) -> None:
        """`_consumer` of what a body is written to is the transport, which can be aborted."""
        body, transport, asked = self.request()
        abort_request(body.consumer)
        self.assertFalse(transport.connected)
        asked.addErrback(lambda _: None)

    def test_abort_of_none(self) -> None:
        """Nothing is being sent: nothing happens."""
        abort_request(None)

    def test_request_not_sent(self) -> None:
        """`RequestNotSent` is what a connection raises on which no request can be sent any more."""
        self.assertTrue(issubclass(RequestNotSent, Exception))
        self.assertFalse(issubclass(RequestNotSent, ResponseNeverReceived))
