"""How much of the bodies is in memory: little, however slow disk and client are, and however many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.testing.wire import Wire
from imagefactory.warehouse import budget
from imagefactory.warehouse.budget import SMALLEST, Budget
from imagefactory.warehouse.buffered_writer import HIGH, BufferedWriter
from tests.warehouse.serving import ServerTestCase


class SlowThreads:
    """`Threads` that do their work when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """See `Threads.run`."""
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, lambda: function(*args, **kwargs)))
        return await done

    def work(self) -> None:
        """Do what waits."""
        done, call = self.waiting.pop(0)
        done.callback(call())


class Connection:
    """A `Flow` that remembers what it was told."""

    def __init__(self) -> None:
        self.paused = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def failed(self, error: Exception) -> None:
        raise error


class BackPressureTests(SynchronousTestCase):
    """A slow disk stops the client."""

    def setUp(self) -> None:
        self.threads, self.flow = SlowThreads(), Connection()
        self.written: list[bytes] = []

    def upload(self, shared: Budget | None = None) -> BufferedWriter:
        """An upload to the slow disk."""
        return BufferedWriter(self.written.append, self.threads, self.flow, shared)

    def test_paused_and_resumed(self) -> None:
        """The connection rests as soon as more waits than one upload may have, and until little does."""
        upload = self.upload()
        upload.add(b"x" * HIGH)
        self.assertFalse(self.flow.paused)
        upload.add(b"y")
        self.assertTrue(self.flow.paused)
        self.threads.work()
        self.assertFalse(self.flow.paused)
        self.threads.work()
        self.assertEqual((b"".join(self.written), upload.pending), (b"x" * HIGH + b"y", 0))

    def test_receives_while_it_writes(self) -> None:
        """It goes on receiving when half of what waits is written, and does not wait for the rest."""
        upload = self.upload()
        for _ in range(17):
            upload.add(b"x" * (HIGH // 16))
        self.assertTrue(self.flow.paused)
        while self.flow.paused:
            self.threads.work()
        self.assertGreater(upload.pending, HIGH // 4)

    def test_shares(self) -> None:
        """Many uploads have together what few have; one that has ended leaves its share to the others."""
        shared = Budget(8 * SMALLEST)
        uploads = [self.upload(shared) for _ in range(4)]
        uploads[0].add(b"x" * (2 * SMALLEST + 1))
        self.assertTrue(self.flow.paused)
        for other in uploads[2:]:
            self.successResultOf(Deferred.fromCoroutine(other.stop()))
            self.successResultOf(Deferred.fromCoroutine(other.settled()))
        self.assertEqual(shared.share(HIGH), 4 * SMALLEST)
        self.flow.paused = False
        uploads[1].add(b"x" * (3 * SMALLEST))
        self.assertFalse(self.flow.paused)

    def test_never_nothing(self) -> None:
        """Even the thousandth gets on."""
        shared = Budget(8 * SMALLEST)
        for _ in range(1000):
            shared.join()
        self.assertEqual(shared.share(HIGH), SMALLEST)


class ServerMemoryTests(ServerTestCase):
    """The server's budgets."""

    def test_all_take_part(self) -> None:
        """Bodies on their way in and out count while they are on their way, not longer, however they end."""
        self.ask("PUT", "/b")
        self.ask("PUT", "/b/k", b"x" * (8 << 20))
        app = self.site.application
        idle = (app.uploads.share(1 << 40), app.downloads.share(1 << 40))
        self.assertEqual(idle, (budget.UPLOADS, budget.DOWNLOADS))
        wires = [Wire(self.site) for _ in range(4)]
        plain = b"PUT /b/l HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n"
        for wire in wires[:2]:
            wire.send(plain + b"\r\nab")
        wires[2].send(plain + b"X-Warehouse-Upload: u\r\nContent-Range: bytes 0-8/9\r\n\r\nab")
        channel = wires[3].transport.protocol
        with patch.object(channel, "registerProducer", side_effect=lambda producer, _: producer.pauseProducing()):
            wires[3].send(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(app.uploads.share(1 << 40), budget.UPLOADS // 3)
        app.downloads.join()
        self.assertEqual(app.downloads.share(1 << 40), budget.DOWNLOADS // 2)
        app.downloads.leave()
        wires[0].send(b"cdefghi")
        for wire in wires[1:3]:
            wire.hang_up()
        channel.requests[0].producer.stopProducing()
        self.assertEqual((app.uploads.share(1 << 40), app.downloads.share(1 << 40)), idle)

    def test_long_lists(self) -> None:
        """A long list goes out in pieces, is the same as a short one put together, and HEAD has none of it."""
        self.ask("PUT", "/b")
        with self.store.metadata.write() as transaction:
            for number in range(5000):
                stored = transaction.obtain("b", f"k{number:04}", 0)
                transaction.set_attributes(stored.id, {"n": str(number)})
        for accept, begin, end in (("text/json", b"[\n\t{\n", b"}\n]\n"), ("*/*", b"<objects>\n", b"</objects>\n")):
            answer = self.ask("GET", "/b?attrs=n", Accept=accept)
            self.assertEqual(answer.headers["transfer-encoding"], "chunked")
            self.assertTrue(answer.body.startswith(begin) and answer.body.endswith(end))
            self.assertEqual(answer.body.count(b"k0"), 1000)
            self.assertEqual(self.ask("HEAD", "/b", Accept=accept).body, b"")
        found = self.ask("GET", "/b?attrs=n", Accept="text/json").json
        expected = [(f"k{number:04}", {"n": str(number)}) for number in range(5000)]
        self.assertEqual([(one["key"], one["attributes"]) for one in found], expected)
        found = self.ask("GET", "/b", Accept="text/json").json
        self.assertEqual(len({one["key"] for one in found}), 5000)
        self.assertIn("content-length", self.ask("GET", "/b?limit=10").headers)
