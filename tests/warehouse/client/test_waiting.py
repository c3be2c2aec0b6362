"""A warehouse that is down: who waits, how long, and what is said meanwhile."""

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unauthorized, Unavailable
from imagefactory.model.report import Silence, report_to
from imagefactory.testing.bad_server import Act, BadServer, reply
from tests.warehouse.client.places import World, new_clock, our_site


class Heard(Silence):
    """Remembers activities."""

    def __init__(self) -> None:
        self.activities: list[str] = []

    def activity(self, text: str) -> None:
        self.activities.append(text)


class OutageTests(SynchronousTestCase):
    """Connections are refused, for a while or for good."""

    def setUp(self) -> None:
        self.clock = new_clock()
        self.world = World(None, self.clock, wait=100)
        self.heard = Heard()

    async def in_job(self) -> bool:
        """What a job does."""
        report_to(self.heard)
        return await self.world.warehouse.create_bucket("b")

    def test_a_job_waits_and_says_so(self) -> None:
        """A job goes on when the warehouse comes up, and its activity says what it waits for."""
        running = self.world.begin(self.in_job())
        self.world.advance(60)
        self.assertNoResult(running)
        self.assertEqual(set(self.heard.activities), {"waiting for the warehouse"})
        self.world.net.server = our_site(self, self.clock)
        self.world.advance(31)
        self.assertTrue(self.successResultOf(running))
        self.assertEqual(self.heard.activities[-1], "the warehouse answers again")

    def test_a_job_does_not_wait_for_ever(self) -> None:
        """After the limit the error names the URL and says what to do."""
        running = self.world.begin(self.in_job())
        self.world.advance(101)
        error = self.failureResultOf(running, Unavailable).value
        self.assertIn("http://warehouse.example:9090/b", error.where)
        self.assertIn("retry", error.hint)

    def test_the_last_try_is_at_the_limit(self) -> None:
        """The last pause is as long as there is time, so that nothing is given up before its time."""
        running = self.world.begin(self.in_job())
        self.world.advance(99.5)
        self.assertNoResult(running)
        self.world.advance(0.75)
        self.assertIn("waited 100 seconds", self.failureResultOf(running, Unavailable).value.message)

    def test_clean_up_after_the_limit_fails_at_once(self) -> None:
        """A job that has given up is not kept waiting a second time by what it wants to remove."""
        self.failureResultOf(self._after(101), Unavailable)
        self.failureResultOf(self.world.begin(self.in_job()), Unavailable)

    def test_clean_up_with_a_silent_server(self) -> None:
        """Takes a moment for each thing once it was given up, and no minute before; what comes later is patient."""
        self.world.net.server = BadServer(self.clock, *[Act()] * 20)
        delete = self.world.begin(self.world.warehouse.delete("b", "k"))
        self.world.advance(16)
        self.failureResultOf(delete, Unavailable)
        self.clock.advance(61)
        self.failureResultOf(self._after(161), Unavailable)
        for _ in range(3):
            delete = self.world.begin(self.world.warehouse.delete("b", "k"))
            self.world.advance(5)
            self.assertIn("silent for 5 seconds", self.failureResultOf(delete, Unavailable).value.message)
        self.clock.advance(61)
        running = self.world.begin(self.in_job())
        self.world.advance(59)
        self.assertNoResult(running)
        running.cancel()
        self.world.settle()
        self.failureResultOf(running, CancelledError)

    def test_a_later_outage_is_another_one(self) -> None:
        """Time counts from the beginning of this outage, not from one of last week."""
        self.failureResultOf(self._after(101), Unavailable)
        self.clock.advance(3600)
        running = self.world.begin(self.in_job())
        self.assertNoResult(running)
        running.cancel()
        self.failureResultOf(running, CancelledError)

    def test_without_a_job_the_wait_is_short(self) -> None:
        """Who asks over REST gets an answer within seconds."""
        running = self.world.begin(self.world.warehouse.create_bucket("b"))
        self.world.advance(6)
        self.failureResultOf(running, Unavailable)

    def test_cancelling_ends_the_wait(self) -> None:
        """A waiting job can be ended at once, and leaves no timer."""
        running = self.world.begin(self.in_job())
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def _after(self, seconds: float):  # type: ignore[no-untyped-def]
        running = self.world.begin(self.in_job())
        self.world.advance(seconds)
        return running


class RepeatTests(SynchronousTestCase):
    """What is tried again."""

    def world(self, *script: Act | bytes) -> World:
        clock = new_clock()
        self.server = BadServer(clock, *script)
        return World(self.server, clock, wait=100)

    def test_a_server_error_is_tried_three_times(self) -> None:
        """500 may be a hiccup or for ever: it is not tried until the limit."""
        world = self.world(reply(500))
        running = world.begin(world.warehouse.attributes("b", "k"))
        world.advance(10)
        self.failureResultOf(running, Unavailable)
        self.assertEqual([seen.path for seen in self.server.seen], ["/_health"] * 3)

    def test_a_busy_server_is_asked_again(self) -> None:
        """503 passes."""
        world = self.world(reply(503), reply(503), reply(404))
        running = world.begin(world.warehouse.body("b", "k"))
        world.advance(3)
        self.assertIsNone(self.successResultOf(running))

    def test_refusals_are_final(self) -> None:
        """What the server has decided is not asked again; the error says what to do."""
        world = self.world(reply(401))
        running = world.begin(world.warehouse.body("b", "k"))
        error = self.failureResultOf(running, Unauthorized).value
        self.assertIn("warehouse_secret", error.hint)
        self.assertEqual(len(self.server.seen), 1)
