"""What a handler learns of its request."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Busy, InvalidInput
from imagefactory.rest import large_bodies
from imagefactory.rest.call import RestCall
from imagefactory.rest.client_address import ClientAddress
from imagefactory.rest.large_bodies import LargeBodies
from imagefactory.testing.threads import HeldThreads
from tests.rest.service import ServiceTestCase
from tests.rest.tables import BODIES


class Request:
    """As much of a request as a large body needs."""

    content = None


class QueryTests(ServiceTestCase):
    """Parameters in the address."""

    def test_text_that_is_none(self) -> None:
        """400 with the name of the parameter."""
        answer = self.wire.ask("GET", "/imagefactory/builders?status=%ff")
        self.assertEqual(answer.status, 400)
        self.assertIn("status", answer.json["error"])

    def test_the_last_of_a_name_counts(self) -> None:
        """As in version 1.0."""
        self.build()
        for query, found in (("status=FAILED&status=NEW", 1), ("status=NEW&status=FAILED", 0)):
            self.assertEqual(len(self.wire.ask("GET", f"/imagefactory/builders?{query}").json["builders"]), found)

    def test_heads_of_streams(self) -> None:
        """HEAD has the content type of GET, and ends."""
        id = self.build()
        for path, media in (("events", "text/event-stream"), (f"builders/{id}/log?follow=1", "text/plain")):
            answer = self.wire.ask("HEAD", f"/imagefactory/{path}")
            self.assertEqual((answer.status, answer.headers["content-type"].partition(";")[0]), (200, media))
        self.assertEqual(self.jobs.listeners, 0)


class ProxyTests(SynchronousTestCase):
    """Whose headers count."""

    def test_a_proxy_is_an_address_or_a_network(self) -> None:
        """A name is refused, where the site is put together."""
        with self.assertRaises(InvalidInput) as caught:
            ClientAddress(["10.0.0.0/8", "proxy.example"])
        self.assertIn("proxy.example", str(caught.exception))


class LargeBodyTests(SynchronousTestCase):
    """Bodies that are read in a thread."""

    def test_a_bounded_number_waits(self) -> None:
        """One is read, some wait, one more is refused; the others are read when the first is done."""
        threads = HeldThreads(1)
        bodies = LargeBodies(threads)
        call = RestCall(Request(), {}, ClientAddress(), BODIES)  # type: ignore[arg-type]
        reading = [
            Deferred.fromCoroutine(bodies.read(call, None, fields=False)) for _ in range(large_bodies.MOST_WAITING + 1)
        ]
        self.failureResultOf(Deferred.fromCoroutine(bodies.read(call, None, fields=False)), Busy)
        self.assertNoResult(reading[-1])
        threads.let_go()
        for each in reading:
            self.successResultOf(each)
