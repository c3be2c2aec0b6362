"""A client that sends and does not read."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPFactory, Request

from imagefactory.lib.http.channel import PacedChannel
from imagefactory.testing.wire import Wire

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"x" * 100_000


class Answered(Request):
    """Answers at once."""

    count = 0

    def process(self) -> None:
        Answered.count += 1
        self.setHeader(b"Content-Length", b"%d" % len(LARGE))
        self.write(LARGE)
        self.finish()


class Channel(PacedChannel):
    """Serves those."""

    requestFactory = Answered


class PacedChannelTests(SynchronousTestCase):
    """One answer at a time."""

    def setUp(self) -> None:
        Answered.count = 0
        self.clock = Clock()
        factory = HTTPFactory(timeout=60, reactor=self.clock)
        factory.protocol = Channel  # type: ignore[assignment]
        self.wire = Wire(factory)  # type: ignore[arg-type]
        self.wire.transport.room = 65536

    def test_one_answer_waits(self) -> None:
        """Of many pipelined requests only one is answered before the client reads; then one after the other is."""
        self.wire.send(ASK * 150)
        self.clock.advance(0)
        self.assertEqual((Answered.count, self.wire.transport.producerState), (1, "paused"))
        for answered in range(2, 151):
            self.assertGreater(len(self.wire.received()), len(LARGE))
            self.clock.advance(0)
            self.assertEqual(Answered.count, answered)
        self.wire.received()
        self.clock.advance(0)
        self.assertEqual(self.wire.transport.producerState, "producing")
        self.wire.send(ASK)
        self.assertEqual(Answered.count, 151)

    def test_requests_in_pieces(self) -> None:
        """What comes in pieces, in the middle of a pause, is put together again."""
        data = ASK * 3
        for start in range(len(data)):
            self.wire.send(data[start : start + 1])
        for _ in range(3):
            self.wire.received()
            self.clock.advance(0)
        self.assertEqual(Answered.count, 3)

    def test_each_has_its_turn(self) -> None:
        """Also a client that reads gives way to others between two requests."""
        self.wire.transport.room = None
        self.wire.send(ASK * 3)
        between: list[int] = []
        self.clock.callLater(0, lambda: between.append(Answered.count))
        self.clock.advance(0)
        self.assertEqual((between, Answered.count), ([2], 3))

    def test_a_slow_reader_is_kept(self) -> None:
        """A client that reads now and then is not cut off; one that reads nothing is, at once."""
        self.wire.send(ASK * 3)
        for _ in range(2):
            self.clock.advance(50)
            self.assertTrue(self.wire.transport.connected)
            self.wire.received()
            self.clock.advance(0)
        self.clock.advance(60)
        self.assertFalse(self.wire.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hanging_up_while_it_waits(self) -> None:
        """Nothing runs on."""
        self.wire.transport.room = None
        self.wire.send(ASK * 3)
        self.wire.hang_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class HeadTests(SynchronousTestCase):
    """Heads that servers understand differently."""

    def answer(self, head: bytes) -> bytes:
        """Returns the first words of the answer to these lines, and counts what was served."""
        Answered.count = 0
        factory = HTTPFactory(timeout=60, reactor=Clock())
        factory.protocol = Channel  # type: ignore[assignment]
        wire = Wire(factory)  # type: ignore[arg-type]
        wire.send(head)
        return wire.received()[:12]

    def test_refused(self) -> None:
        """Two hosts (also equal ones), none, a header over several lines: nothing is served, also not what follows."""
        first = b"GET / HTTP/1.1\r\n"
        for head in (
            first + b"Host: a\r\nHost: b\r\n\r\n",
            first + b"Host: a\r\nX: y\r\nhost: a\r\nX: y\r\n\r\n",
            first + b"\r\n",
            first + b"X: y\r\n\r\n",
            first + b"Host: a\r\nX: y\r\n z\r\n\r\n",
            first + b"Host: a\r\n\tb\r\n\r\n",
            first + b" Host: a\r\n\r\n",
            b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        ):
            self.assertEqual((self.answer(head + ASK), Answered.count), (b"HTTP/1.1 400", 0), head)

    def test_accepted(self) -> None:
        """One host, wherever it stands; an empty one; none with HTTP/1.0; an empty line in front."""
        for head in (
            ASK,
            b"GET / HTTP/1.1\r\nX: y\r\nHOST: a\r\nZ: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"\r\n" + ASK,
        ):
            self.assertEqual(self.answer(head)[9:], b"200", head)
