"""A badly behaved server, on a clock that only the test moves."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model.errors import Conflict, FactoryError, NoSpace, TooLarge, Unavailable
from imagefactory.testing.bad_server import Act, BadServer, reply
from tests.warehouse.client.places import World, new_clock
from tests.warehouse.places import fresh_directory

OURS = {"Server": "imagewarehouse/1"}


class MisbehaviourTests(SynchronousTestCase):
    """Whatever comes, the answer is right, or an Unavailable with the URL."""

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
        """Without length and chunks nobody knows whether it was all: it is not believed."""
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
        world = self.world(reply(201, X_Warehouse_SHA256="0" * 64, **OURS))
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
        problem = b'{"title": "somebody was faster"}'
        world = self.world(reply(409, problem, Content_Type="application/problem+json"))
        error = self.fails(world, world.begin(world.warehouse.delete("b", "k")), 1)
        self.assertIsInstance(error, Conflict)
        self.assertIn("somebody was faster", error.message)

    def test_other_pages_are_not_shown(self) -> None:
        """A page for people, or anything else, stays out of the error."""
        world = self.world(reply(403, b"<html>secret</html>", Content_Type="text/html"))
        error = self.fails(world, world.begin(world.warehouse.body("b", "k")), 1)
        self.assertNotIn("secret", str(error))
