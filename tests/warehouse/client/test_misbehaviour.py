"""A badly behaved server, on a clock that only the test moves."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web._newclient import RequestNotSent

from imagefactory.lib.errors import Conflict, FactoryError, Forbidden, NoSpace, TooLarge, Unavailable
from imagefactory.testing.bad_server import Act, BadServer, reply
from imagefactory.warehouse.client.exchange import ClientRequest
from imagefactory.warehouse.client.receiving import IncomingResponse
from tests.warehouse.client.places import World, new_clock
from tests.warehouse.places import fresh_directory

OURS = {"Server": "imagewarehouse/1"}


class MisbehaviourTests(SynchronousTestCase):
    """For any reply, the result is right, or an Unavailable with the URL."""

    def world(self, *script: Act | bytes) -> World:
        self.clock = new_clock()
        self.server = BadServer(self.clock, *script)
        return World(self.server, self.clock, wait=60)

    def fails(self, world: World, running: Deferred[Any], seconds: float = 60) -> FactoryError:
        """The error in the end, which must name the URL; no timer may be left."""
        world.advance(seconds)
        failure: Failure = self.failureResultOf(running, FactoryError)
        error = failure.value
        assert isinstance(error, FactoryError)
        self.assertIn("http://warehouse.example:9090/", error.where)
        return error

    def test_body_shorter_than_its_length(self) -> None:
        """A body that breaks off is never taken for the whole one."""
        short = Act(reply(200, b"half", Content_Length="8"), close=True)
        world = self.world(short)
        error = self.fails(world, world.begin(world.warehouse.body("b", "k")))
        self.assertIsInstance(error, Unavailable)

    def test_second_try_succeeds(self) -> None:
        """A connection that dropped once is no error."""
        world = self.world(Act(close=True), reply(200, b"body"))
        running = world.begin(world.warehouse.body("b", "k"))
        world.advance(2)
        self.assertEqual(self.successResultOf(running), b"body")

    def test_no_length_at_all(self) -> None:
        """Without length and chunks it is unknown whether it was all: it is not believed."""
        world = self.world(Act(b"HTTP/1.1 200 OK\r\n\r\nperhaps all", close=True))
        self.fails(world, world.begin(world.warehouse.body("b", "k")))

    def test_silence(self) -> None:
        """A server that takes a request and never answers is given up."""
        world = self.world(Act())
        error = self.fails(world, world.begin(world.warehouse.body("b", "k")), 180)
        self.assertIn("silent", error.message)

    def test_trickling_is_not_silence(self) -> None:
        """What comes slowly, but comes, may take as long as it likes."""
        world = self.world(Act(reply(200, b"x" * 2000), every=20, piece=50))
        running = world.begin(world.warehouse.body("b", "k"))
        world.advance(900, step=10)
        self.assertEqual(self.successResultOf(running), b"x" * 2000)

    def test_what_is_no_http(self) -> None:
        """Something else listens there."""
        world = self.world(Act(b"220 mail.example ESMTP\r\n"))
        self.fails(world, world.begin(world.warehouse.body("b", "k")))

    def test_garbage_lists(self) -> None:
        """What cannot be read is tried again and then said."""
        for garbage in (b"<html>", b"[1]", b'[{"key": 1}]', b"{", b"\xff"):
            world = self.world(reply(200, garbage, **OURS))
            error = self.fails(world, world.begin(world.warehouse.keys("b")))
            self.assertIn("rubbish", error.message)

    def test_garbage_attributes(self) -> None:
        """XML that is none, or that is dangerous, is refused."""
        bomb = b'<!DOCTYPE x [<!ENTITY a "aa">]><object>&a;</object>'
        for garbage in (b"<object>", bomb, b""):
            world = self.world(reply(200, garbage))
            error = self.fails(world, world.begin(world.warehouse.attributes("b", "k")))
            self.assertIn("rubbish", error.message)

    def test_wrong_digest(self) -> None:
        """A body that is not the one that was stored is not handed on."""
        world = self.world(reply(200, b"other", X_Warehouse_SHA256="0" * 64))
        error = self.fails(world, world.begin(world.warehouse.body("b", "k")))
        self.assertIn("SHA-256", error.message)

    def test_wrong_digest_of_a_file(self) -> None:
        """Nor a file, of which nothing is left."""
        workspace = fresh_directory(self)
        world = self.world(reply(200, b"other", X_Warehouse_SHA256="0" * 64))
        self.fails(world, world.begin(world.warehouse.local("b", "k", workspace)))
        self.assertEqual(list(workspace.iterdir()), [])

    def test_stored_something_else(self) -> None:
        """A server that reports another digest than that of what was sent is not believed."""
        world = self.world(reply(201, X_Warehouse_Content="0" * 64, **OURS))
        error = self.fails(world, world.begin(world.warehouse.put("b", "k", b"body", {})))
        self.assertIn("something else", error.message)

    def test_full_server(self) -> None:
        """507 says that the other side's disk is full."""
        world = self.world(reply(507, **OURS))
        self.assertIsInstance(self.fails(world, world.begin(world.warehouse.put("b", "k", b"x", {})), 1), NoSpace)

    def test_endless_body(self) -> None:
        """A body over the limit is not read, whether it says its length or not."""
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
        for answer in (reply(200, b"", Content_Length="9999999"), chunked):
            world = self.world(answer)
            running = world.begin(world.warehouse.body("b", "k", limit=100))
            self.assertIsInstance(self.fails(world, running, 1), TooLarge)

    def test_redirects_are_not_followed(self) -> None:
        """A signed request, and a body, go where they were meant to go or nowhere."""
        world = self.world(reply(302, Location="http://elsewhere.example/"))
        self.fails(world, world.begin(world.warehouse.body("b", "k")))
        self.assertEqual({seen.headers["host"] for seen in self.server.seen}, {"warehouse.example:9090"})

    def test_reasons_of_our_server(self) -> None:
        """What our server says about an error is passed on."""
        problem = b'{"title": "another client was faster"}'
        world = self.world(reply(409, problem, Content_Type="application/problem+json"))
        error = self.fails(world, world.begin(world.warehouse.delete("b", "k")), 1)
        self.assertIsInstance(error, Conflict)
        self.assertIn("another client was faster", error.message)

    def test_other_pages_are_not_shown(self) -> None:
        """A page for people, or anything else, stays out of the error."""
        world = self.world(reply(403, b"<html>secret</html>", Content_Type="text/html"))
        error = self.fails(world, world.begin(world.warehouse.body("b", "k")), 1)
        self.assertNotIn("secret", str(error))

    def test_early_answer(self) -> None:
        """An answer in the middle of a body ends the sending, also when the server does not read on."""
        path = fresh_directory(self) / "image"
        path.write_bytes(b"x" * (4 << 20))
        act = Act(reply(403, b"not you", Connection="close", **OURS), early=1000)
        world = self.world(act)
        world.exchange.ours = True
        self.assertIsInstance(self.fails(world, world.begin(world.warehouse.adopt("b", "k", path, {})), 1), Forbidden)
        self.assertEqual(len(self.server.seen), 1)
        self.assertFalse(world.net.connections[0].connected)

    def test_request_that_was_not_sent(self) -> None:
        """A connection that went while it was idle is no error of the request."""
        world = self.world(reply(200, b"body"))
        true_once, turns = world.exchange._http.request, []

        def request(*given: Any, **more: Any) -> Deferred[Any]:
            turns.append(given)
            return fail(RequestNotSent()) if len(turns) == 1 else true_once(*given, **more)

        self.patch(world.exchange._http, "request", request)
        running = world.begin(world.warehouse.body("b", "k"))
        world.advance(2)
        self.assertEqual(self.successResultOf(running), b"body")


class LostReplyTests(SynchronousTestCase):
    """A reply that is lost says nothing about what was done."""

    def run_script(self, ask: str, *script: Act | bytes) -> bool:
        clock = new_clock()
        world = World(BadServer(clock, *script), clock, wait=60)
        work = {"delete": world.warehouse.delete("b", "k"), "create": world.warehouse.create_bucket("b")}
        running = world.begin(work.pop(ask))
        work.popitem()[1].close()
        world.advance(5)
        return bool(self.successResultOf(running))

    def test_deleted(self) -> None:
        """A 404 after a broken attempt is done; one after a refused attempt, or the first, is not."""
        self.assertTrue(self.run_script("delete", Act(close=True), reply(404)))
        self.assertTrue(self.run_script("delete", reply(504), reply(404)))
        self.assertFalse(self.run_script("delete", reply(503), reply(404)))
        self.assertFalse(self.run_script("delete", reply(404)))

    def test_created(self) -> None:
        """So with a bucket that was not there before."""
        self.assertTrue(self.run_script("create", reply(404), Act(close=True), reply(500), reply(200)))
        self.assertFalse(self.run_script("create", reply(404), reply(500), reply(200)))
        self.assertFalse(self.run_script("create", reply(200)))

    def test_one_layer_of_tries(self) -> None:
        """A server that answers 500 to everything is asked three times, not three times three."""
        clock = new_clock()
        server = BadServer(clock, reply(404), reply(500))
        world = World(server, clock, wait=60)
        running = world.begin(world.warehouse.create_bucket("b"))
        world.advance(30)
        self.failureResultOf(running, Unavailable)
        self.assertEqual(len([seen for seen in server.seen if seen.method == "PUT"]), 3)
        self.assertEqual(len(server.seen), 7)


class SignTests(SynchronousTestCase):
    """Whose server it is."""

    def told(self, *replies: bytes, known: bool | None = None) -> bool | None:
        """What is known after these replies."""
        clock = new_clock()
        world = World(BadServer(clock, *replies), clock, wait=60)
        world.exchange.ours = known
        for _ in replies:
            running = Deferred.fromCoroutine(world.exchange.once(ClientRequest("GET", "/x", range(200, 600)), skipped))
            world.settle()
            self.successResultOf(running)
        return world.exchange.ours

    def test_behind_a_proxy(self) -> None:
        """Ours is known by its own header, whatever the proxy calls itself."""
        self.assertIs(self.told(reply(200, Server="nginx", X_Warehouse="1")), True)
        self.assertIs(self.told(reply(200, Server="imagewarehouse/2")), True)

    def test_another(self) -> None:
        """Without it, it is an iwhd; a page of a proxy about an error proves nothing."""
        self.assertIs(self.told(reply(200)), False)
        self.assertIs(self.told(reply(404)), False)
        self.assertIs(self.told(reply(403)), None)

    def test_errors_make_nothing_forgotten(self) -> None:
        """A warehouse that is ours stays so."""
        for status in (400, 401, 403, 404, 413, 500, 502):
            self.assertIs(self.told(reply(status, Server="nginx"), known=True), True, status)


async def skipped(arrival: IncomingResponse) -> None:
    """It is not asked for."""
    await arrival.skip()
