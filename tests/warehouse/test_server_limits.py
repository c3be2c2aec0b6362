"""A bounded number of clients."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.wire import Wire, read_reply
from imagefactory.warehouse.server.application import Application
from imagefactory.warehouse.server.limits import LimitedWarehouseSite
from imagefactory.warehouse.store import open_store
from tests.warehouse.places import fresh_directory


class DoorTests(SynchronousTestCase):
    """A warehouse that serves two at once."""

    def setUp(self) -> None:
        self.clock = Clock()
        store = open_store(fresh_directory(self) / "warehouse", self.clock.seconds)
        self.addCleanup(store.close)
        self.door = LimitedWarehouseSite(Application(store, ImmediateThreads(), self.clock), self.clock, 2)

    def health(self, wire: Wire) -> int:
        """The status of a request."""
        return wire.ask("GET", "/_health").status

    def test_one_too_many(self) -> None:
        """It is told so, without a body as iwhd's clients want it, and closed; a place that becomes free is free."""
        first, second, third = (Wire(self.door) for _ in range(3))
        answer = read_reply(third.received())
        self.assertEqual((answer.status, answer.body, third.transport.connected), (503, b"", False))
        self.assertEqual([self.health(first), self.health(second)], [200, 200])
        second.hang_up()
        self.assertEqual(self.health(Wire(self.door)), 200)
        self.assertEqual(len(self.door.connection_limit), 2)

    def test_all_end(self) -> None:
        """Idle ones, and those in the middle of a body."""
        idle, half = Wire(self.door), Wire(self.door)
        half.send(b"POST /b/_query HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n$a")
        self.successResultOf(Deferred.fromCoroutine(self.door.connection_limit.close()))
        self.assertEqual(
            (idle.transport.connected, half.transport.connected, len(self.door.connection_limit)), (False, False, 0)
        )
