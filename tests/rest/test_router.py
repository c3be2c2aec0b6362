"""From requests to handlers, and back; with a table that is not that of version 1.0."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict
from imagefactory.rest.call import RestCall
from imagefactory.rest.errors import status_of
from imagefactory.rest.large_bodies import SMALL
from imagefactory.rest.reply import RestReply
from imagefactory.rest.route_table import Route
from imagefactory.testing.wire import read_reply
from tests.rest.tables import TableTestCase, TokenScheme, table

POST = b"POST /v2/things HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


class Services:
    """What the handlers below work with."""

    def __init__(self) -> None:
        self.held: Deferred[None] = Deferred()
        self.done: list[str] = []


def show(services: Services, call: RestCall) -> RestReply:
    """Answers at once."""
    services.done.append("show")
    return RestReply(call.ids["thing_id"].encode())


async def show_later(services: Services, call: RestCall) -> RestReply:
    """Answers when `held` is fired."""
    await services.held
    services.done.append("shown")
    return RestReply(b"later")


async def create(services: Services, call: RestCall) -> RestReply:
    """Writes when `held` is fired."""
    await services.held
    services.done.append("created")
    return RestReply(b"created", 202)


async def refuse(services: Services, call: RestCall) -> RestReply:
    """Never works."""
    raise Conflict("no", hint="stop")


def broken(services: Services, call: RestCall) -> RestReply:
    """Has a mistake."""
    raise KeyError("hush")


async def takes_part(services: Services, call: RestCall) -> None:
    """Writes the response itself, and fails in the middle."""
    call.request.write(b"half")
    raise KeyError("hush")


ROUTES: tuple[Route[Any], ...] = (
    Route("GET", "/v2/things/{thing_id}", show, "One"),
    Route("GET", "/v2/later", show_later, "One, later"),
    Route("POST", "/v2/things", create, "New"),
    Route("POST", "/v2/guarded", show, "Guarded", protected=True),
    Route("DELETE", "/v2/things/{thing_id}", refuse, "Remove"),
    Route("GET", "/v2/broken", broken, "Broken"),
    Route("GET", "/v2/part", takes_part, "Half"),
)


class RouterTestCase(TableTestCase):
    """Serves the routes above."""

    def setUp(self) -> None:
        super().setUp()
        self.services = Services()
        self.mount(table(*ROUTES), services=self.services)

    def counted(self) -> str:
        """The metrics."""
        return self.successResultOf(Deferred.fromCoroutine(self.metrics.text())).decode()


class HandlerTests(RouterTestCase):
    """What a handler is called with, and what becomes of what it does."""

    def test_at_once_and_later(self) -> None:
        """A function or a coroutine function."""
        self.assertEqual(self.wire.ask("GET", "/v2/things/t1").body, b"t1")
        self.wire.send(b"GET /v2/later HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(self.wire.received(), b"")
        self.services.held.callback(None)
        self.assertEqual(read_reply(self.wire.received()).body, b"later")

    def test_ids_are_one_segment_each(self) -> None:
        """A trailing slash changes nothing; what is encoded in an id is decoded."""
        self.assertEqual(self.wire.ask("GET", "/v2/things/t1/").body, b"t1")
        self.assertEqual(self.wire.ask("GET", "/v2/things/%C3%A4").body, "ä".encode())
        for path in ("/v2/things//t1", "/v2/things/t1/x", "/v2/things"):
            self.assertIn(self.wire.ask("GET", path).status, (404, 405), path)

    def test_errors(self) -> None:
        """In the words of the table; an unexpected one is logged and says nothing of its reason."""
        refused = self.wire.ask("DELETE", "/v2/things/t1")
        self.assertEqual((refused.status, refused.json), (409, {"problem": "no", "do": "stop", "incident": ""}))
        answer = self.wire.ask("GET", "/v2/broken")
        self.assertEqual((answer.status, answer.json["problem"]), (500, "internal error"))
        self.assertNotIn(b"hush", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_a_failure_in_the_middle(self) -> None:
        """The connection is closed: the client must not take half for the whole."""
        self.wire.send(b"GET /v2/part HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertFalse(self.wire.transport.connected)
        self.assertNotIn(b"problem", self.wire.received())
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_metrics(self) -> None:
        """Counted by route and status, with the ids left out."""
        for path in ("/v2/things/t1", "/v2/things/t2", "/v2/none"):
            self.wire.ask("GET", path)
        counted = self.counted()
        self.assertIn('{route="GET /v2/things/{thing_id}",status="200"} 2', counted)
        self.assertIn('{route="none",status="404"} 1', counted)


class HangUpTests(RouterTestCase):
    """A client that goes before it is answered."""

    def test_a_read_is_cancelled(self) -> None:
        """Its answer would be for no one."""
        self.wire.send(b"GET /v2/later HTTP/1.1\r\nHost: x\r\n\r\n")
        self.wire.hang_up()
        self.services.held.callback(None)
        self.assertEqual(self.services.done, [])

    def test_a_write_goes_on(self) -> None:
        """It belongs to the site."""
        self.wire.send(POST)
        self.wire.hang_up()
        self.assertEqual(len(self.tasks), 1)
        self.services.held.callback(None)
        self.assertEqual((self.services.done, len(self.tasks)), (["created"], 0))

    def test_a_failure_that_no_reply_tells_is_logged(self) -> None:
        """An expected one in one line, another with its stack; one that was told is not logged."""
        for error, expected in ((Conflict("taken"), "taken"), (KeyError("hush"), "failed")):
            self.services.held = Deferred()
            self.mount(table(*ROUTES), services=self.services)
            with capturedLogs() as logged:
                self.wire.send(POST)
                self.wire.hang_up()
                self.services.held.errback(error)
            self.assertIn(expected, " ".join(filter(None, map(formatEvent, logged))))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        with capturedLogs() as logged:
            self.mount(table(*ROUTES), services=self.services)
            self.wire.ask("DELETE", "/v2/things/t1")
        self.assertEqual([event for event in logged if "log_failure" in event], [])

    def test_a_closing_site(self) -> None:
        """Waits for what was begun, tells its clients, begins nothing more."""
        self.wire.send(POST)
        closing = Deferred.fromCoroutine(self.tasks.close())
        self.successResultOf(closing)
        answer = read_reply(self.wire.received())
        self.assertEqual((answer.status, answer.json["problem"]), (503, "the daemon is stopping"))
        self.assertEqual(self.wire.ask("POST", "/v2/things").status, 503)
        self.assertEqual(self.services.done, [])


class GuardTests(RouterTestCase):
    """Routes that demand authentication."""

    def test_no_handler_runs_unless_the_request_is_good(self) -> None:
        """Neither with a small body nor with a large one, which is verified in a thread."""
        for body in (b"x", b"x" * (SMALL + 1)):
            for headers in ((), (("Authorization", "Token bad"),)):
                self.assertEqual(self.wire.ask("POST", "/v2/guarded", body, headers=headers).status, 401)
        self.assertEqual(self.services.done, [])

    def test_a_credential_is_committed_once(self) -> None:
        """Also when the body is large."""
        for size in (1, SMALL + 1):
            scheme = TokenScheme()
            self.schemes = [scheme]
            self.mount(table(Route("POST", "/v2/guarded", _ok, "Guarded", protected=True)))
            headers = [("Authorization", "Token good 1")]
            statuses = [self.wire.ask("POST", "/v2/guarded", b"x" * size, headers=headers).status for _ in range(2)]
            self.assertEqual((statuses, scheme.steps), ([200, 401], ["verify", "commit"] * 2))

    def test_other_routes_ask_nothing(self) -> None:
        """Not even whether there are credentials."""
        scheme = TokenScheme()
        self.schemes = [scheme]
        self.mount(table(*ROUTES), services=self.services)
        self.assertEqual(self.wire.ask("GET", "/v2/things/t1", headers=[("Authorization", "Token bad")]).status, 200)
        self.assertEqual(scheme.steps, [])


def _ok(services: object, call: RestCall) -> RestReply:
    return RestReply(b"ok")


class TableTests(SynchronousTestCase):
    """What a table refuses, where it is put together."""

    def test_routes_stay_below_the_prefix(self) -> None:
        """Else another mount would answer them."""
        for path in ("/v1/things", "/v2things", "/"):
            with self.assertRaises(ValueError):
                table(Route("GET", path, show, "Elsewhere"))
        table(Route("GET", "/v2", show, "The prefix itself"))

    def test_no_route_stands_there_twice(self) -> None:
        """Also under another name of its id; another method is another route."""
        one = Route("GET", "/v2/a/{id}", show, "One")
        with self.assertRaises(ValueError):
            table(one, Route("GET", "/v2/a/{other}", show, "The same"))
        table(one, Route("POST", "/v2/a/{id}", show, "Another"))

    def test_facts_of_a_route(self) -> None:
        """Name, ids, whether it writes."""
        route = Route("DELETE", "/v2/a/{a_id}/b/{b_id}", refuse, "Remove")
        self.assertEqual((route.name, route.parameters), ("DELETE /v2/a/{a_id}/b/{b_id}", ("a_id", "b_id")))
        self.assertTrue(route.writes)
        self.assertFalse(Route("GET", "/v2", show, "Read").writes)
        self.assertEqual(status_of(Conflict("x")), 409)
