"""Signing, and finding out whether a warehouse is there."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unauthorized
from imagefactory.lib.secret import Secret
from imagefactory.testing.bad_server import Act, BadServer, reply
from imagefactory.testing.iwhd import FakeIwhd, iwhd_site
from imagefactory.warehouse.client.connect import looks_like_warehouse
from tests.warehouse.client.places import World, new_clock, our_site

SPECIAL = "a b%/+&=é~"
USERS = {"me": Secret("s€cret")}


class SigningTests(SynchronousTestCase):
    """A server that demands OAuth."""

    def setUp(self) -> None:
        self.clock = new_clock()
        self.site = our_site(self, self.clock, USERS)

    def test_everything_is_signed(self) -> None:
        """Reads, writes, queries, bodies, special characters: all are let in."""
        world = World(self.site, self.clock, key="me", secret=USERS["me"], wait=0)
        name = SPECIAL.replace("/", "")
        world.run(world.warehouse.create_bucket(name))
        world.run(world.warehouse.put(name, name, b"body", {name: SPECIAL}))
        world.run(world.warehouse.set_attributes(name, name, {"b": SPECIAL}))
        self.assertEqual(world.run(world.warehouse.attributes(name, name)), {name: SPECIAL, "b": SPECIAL})
        self.assertEqual(world.run(world.warehouse.query(name, f'$b == "{SPECIAL}"')), [name])
        self.assertEqual(world.run(world.warehouse.keys(name, prefix="a b")), [name])
        self.assertTrue(world.run(world.warehouse.delete(name, name)))

    def test_each_try_is_signed_anew(self) -> None:
        """A request that is sent again is not taken for a repeated one."""
        server = BadServer(self.clock, Act(close=True), reply(404))
        world = World(server, self.clock, key="me", secret=USERS["me"])
        running = world.begin(world.warehouse.body("b", "k"))
        world.advance(2)
        self.successResultOf(running)
        signatures = {seen.headers["authorization"] for seen in server.seen}
        self.assertEqual(len(signatures), 2)

    def test_wrong_secret(self) -> None:
        """The error says what to look at, and not the secret."""
        for place in ({}, {"key": "me", "secret": Secret("wrong-one")}, {"key": "you", "secret": USERS["me"]}):
            world = World(self.site, self.clock, wait=0, **place)
            with self.assertRaises(Unauthorized) as caught:
                world.run(world.warehouse.keys("b"))
            text = f"{caught.exception} {caught.exception.hint} {caught.exception!r}"
            self.assertIn("warehouse_key", text)
            self.assertNotIn("wrong-one", text)


class ProbeTests(SynchronousTestCase):
    """Is it a warehouse?"""

    def probe(self, server: object) -> bool:
        world = World(server, self.clock)  # type: ignore[arg-type]
        running = world.begin(looks_like_warehouse(world.exchange, self.clock, 1.0))
        world.advance(1)
        answer: bool = self.successResultOf(running)
        self.assertLessEqual([call.getTime() for call in self.clock.getDelayedCalls()], [self.clock.seconds() + 240])
        return answer

    def setUp(self) -> None:
        self.clock = new_clock()

    def test_warehouses(self) -> None:
        """Ours, ours that wants to know who we are, and iwhd."""
        self.assertTrue(self.probe(our_site(self, self.clock)))
        self.assertTrue(self.probe(our_site(self, self.clock, USERS)))
        self.assertTrue(self.probe(iwhd_site(FakeIwhd(), self.clock)))

    def test_others(self) -> None:
        """No server, another one, a slow one, an endless one: no, within a second, and no error."""
        self.assertFalse(self.probe(None))
        for answer in (reply(200, b"<html>"), reply(401), reply(500), b"SSH-2.0-x\r\n", b"", reply(302, Location="/x")):
            self.assertFalse(self.probe(BadServer(self.clock, answer)))
        self.assertFalse(self.probe(BadServer(self.clock, Act(reply(200, b"<api>" * 100), every=0.5, piece=50))))
        self.assertFalse(self.probe(BadServer(self.clock, Act(reply(200, b"x" * (2 << 20))))))
