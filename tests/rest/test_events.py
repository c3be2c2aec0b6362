"""Event streams: what was, what comes, who does not read."""

import json
from typing import Any

from twisted.internet.defer import Deferred

from imagefactory.jobs.interface import JobEvent
from imagefactory.model.jobs import Running
from imagefactory.rest.stream import BUFFER_LIMIT, HEARTBEAT_SECONDS
from imagefactory.testing.wire import Wire, read_reply
from tests.rest.service import ServiceTestCase


class EventsTestCase(ServiceTestCase):
    """Opens streams."""

    def open(self, query: str = "", *headers: str) -> Wire:
        """A connection with a stream on it."""
        wire = Wire(self.site)
        lines = [f"GET /imagefactory/events{query} HTTP/1.1", "Host: x", *headers, "", ""]
        wire.send("\r\n".join(lines).encode())
        return wire

    def read(self, wire: Wire) -> list[dict[str, Any]]:
        """The events that have come, as documents with their id."""
        text = b"".join(wire.received().split(b"\r\n")).decode()
        found = []
        for block in text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "data" in lines:
                found.append({**json.loads(lines["data"][: lines["data"].rindex("}") + 1]), "event_id": lines["event"]})
        return found


class StreamTests(EventsTestCase):
    """What a reader gets."""

    def test_from_now_on(self) -> None:
        """Headers at once; then each event with its id, kind and the job with its link."""
        self.build()
        wire = self.open()
        head = wire.received()
        self.assertIn(b"text/event-stream", head)
        id = self.build()
        data = wire.received()
        self.assertIn(b"id: 2\nevent: job\ndata: {", data)
        self.assertIn(f"http://x/imagefactory/builders/{id}".encode(), data)
        self.assertNotIn(b"id: 1\n", data)

    def test_after_the_last_one_seen(self) -> None:
        """By header (a browser that reconnects) or parameter; nothing twice, nothing lost."""
        id = self.build()
        for percent in (10, 20):
            self.jobs.change(id, percent=percent)
        for wire in (self.open("", "Last-Event-ID: 1"), self.open("?after=1")):
            self.assertEqual([event["completed"] for event in self.read(wire)], [10, 20])
        wire = self.open("?after=0")
        self.jobs.change(id, percent=30)
        self.assertEqual([event["completed"] for event in self.read(wire)], [0, 10, 20, 30])
        for header in ("Last-Event-ID: x", "Last-Event-ID: -1", "Last-Event-ID: " + "9" * 40):
            self.assertEqual(read_reply(self.open("", header).received()).status, 400)

    def test_after_one_that_never_was(self) -> None:
        """The client's memory is of another state directory: it gets all that comes from now on."""
        id = self.build()
        wires = [self.open("", "Last-Event-ID: 4711"), self.open("?after=4711")]
        self.jobs.change(id, percent=30)
        for wire in wires:
            self.assertEqual([event["completed"] for event in self.read(wire)], [30])

    def test_the_documents_are_those_of_builders(self) -> None:
        """With each field, so that one reader understands both."""
        id = self.build()
        (event,) = self.read(self.open("?after=0"))
        shown = self.wire.ask("GET", f"/imagefactory/builders/{id}").json
        del shown["href"]
        self.assertEqual({name: event[name] for name in shown}, shown)

    def test_what_happens_during_the_reading(self) -> None:
        """Held back until the remembered ones are out, then sent once."""
        id = self.build()
        held: Deferred[None] = Deferred()
        remembered = self.jobs.events

        async def slow(*, after: int, id: str | None = None, limit: int = 1000) -> list[JobEvent]:
            found = await remembered(after=after, id=id, limit=limit)
            if not found and not held.called:
                await held
            return found

        self.jobs.events = slow  # type: ignore[method-assign]
        wire = self.open("?after=0")
        self.jobs.change(id, percent=10)
        held.callback(None)
        self.jobs.change(id, percent=20)
        self.assertEqual([event["event"] for event in self.read(wire)], [1, 2, 3])

    def test_one_job(self) -> None:
        """Only its events; an unknown one is not found."""
        one, two = self.build(), self.build()
        wire = self.open(f"?id={two}")
        self.jobs.change(one, percent=1)
        self.jobs.change(two, percent=2)
        self.assertEqual([event["id"] for event in self.read(wire)], [two])
        self.assertEqual(read_reply(self.open("?id=none").received()).status, 404)

    def test_heartbeat(self) -> None:
        """A comment now and then keeps proxies from closing it; the idle limit does not apply."""
        wire = self.open()
        wire.received()
        for _ in range(100):
            self.clock.advance(HEARTBEAT_SECONDS)
        self.assertEqual(wire.received().count(b":\n\n"), 100)
        self.assertTrue(wire.transport.connected)

    def test_leaving(self) -> None:
        """Nothing stays behind: no listener, no clock, no connection counted."""
        wires = [self.open() for _ in range(5)]
        self.assertIn(b"imagefactory_http_streams 5", self.wire.ask("GET", "/metrics").body)
        for wire in [*wires, self.wire]:
            wire.hang_up()
        self.assertEqual((self.jobs.listeners, len(self.site.connection_limit)), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """One more than the share of connections that streams may have is refused for now."""
        self.serve(max_connections=8)
        for _ in range(6):
            self.open()
        self.assertEqual(read_reply(self.open().received()).status, 503)


class SlowReaderTests(EventsTestCase):
    """A reader that does not read."""

    def test_catches_up(self) -> None:
        """What came while it was behind is sent when it reads on."""
        id = self.build()
        wire = self.open()
        wire.received()
        wire.transport.producer.pauseProducing()
        for percent in (1, 2):
            self.jobs.change(id, percent=percent)
        self.clock.advance(HEARTBEAT_SECONDS)
        self.assertEqual(wire.received(), b"")
        wire.transport.producer.resumeProducing()
        self.assertEqual([event["completed"] for event in self.read(wire)], [1, 2])
        self.clock.advance(600)
        self.assertTrue(wire.transport.connected)

    def test_dropped_when_too_much_piles_up(self) -> None:
        """Memory is bounded, and nothing stays behind."""
        id = self.build()
        wire = self.open()
        wire.transport.producer.pauseProducing()
        for number in range(BUFFER_LIMIT // 1000):
            self.jobs.change(id, activity="x" * 1000, percent=number % 100)
        self.assertFalse(wire.transport.connected)
        self.assertEqual(self.jobs.listeners, 0)

    def test_dropped_when_it_takes_nothing_for_long(self) -> None:
        """Even if nothing happens."""
        wire = self.open()
        wire.transport.producer.pauseProducing()
        self.clock.advance(61)
        self.assertFalse(wire.transport.connected)

    def test_the_remembered_comes_at_its_pace(self) -> None:
        """Page by page: nothing piles up however much is remembered."""
        id = self.build()
        self.jobs.change(id, state=Running("BUILDING"))
        for number in range(5000):
            self.jobs.log_line(id, f"{number} " + "x" * 1000)
        wire = Wire(self.site)
        pages = []
        remembered = self.jobs.log

        async def paged(id: str, *, after: int = 0, limit: int = 10_000) -> list[Any]:
            pages.append(after)
            lines = await remembered(id, after=after, limit=100)
            wire.transport.producer.pauseProducing()
            return lines

        self.jobs.log = paged  # type: ignore[method-assign]
        wire.send(f"GET /imagefactory/builders/{id}/log HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.assertEqual(len(pages), 1)
        self.assertTrue(wire.transport.connected)
        for _ in range(60):
            wire.transport.producer.resumeProducing()
        self.assertEqual(pages[-1], 5000)
        self.assertEqual(read_reply(wire.received()).body.count(b"\n"), 5000)
