"""Periodic: one owned loop."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.periodic import Periodic
from imagefactory.lib.errors import Unavailable


class PeriodicTests(SynchronousTestCase):
    """Turns one after the other, until it is stopped."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.turns: list[Deferred[None]] = []
        self.periodic = Periodic("the look", self.turn, 10.0, self.clock)

    async def turn(self) -> None:
        """One turn, which ends when the test says so."""
        self.turns.append(Deferred())
        await self.turns[-1]

    def stop(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.periodic.stop())

    def test_pause_comes_first(self) -> None:
        """The first turn comes after a pause, and the next one a pause after the first has ended."""
        self.periodic.start()
        self.clock.advance(9.9)
        self.assertEqual(len(self.turns), 0)
        self.clock.advance(0.1)
        self.clock.advance(30)
        self.assertEqual(len(self.turns), 1)
        self.turns[0].callback(None)
        self.clock.advance(9.9)
        self.assertEqual(len(self.turns), 1)
        self.clock.advance(0.1)
        self.assertEqual(len(self.turns), 2)

    def test_now(self) -> None:
        """The first turn may come at once; starting twice starts one loop."""
        self.periodic.start(now=True)
        self.periodic.start(now=True)
        self.assertEqual(len(self.turns), 1)
        self.turns[0].callback(None)
        self.clock.advance(10)
        self.assertEqual(len(self.turns), 2)

    def test_jitter_shortens_the_pause(self) -> None:
        """By a share of it that a random number decides."""
        periodic = Periodic("the look", self.turn, 10.0, self.clock, jitter=0.5, random_number=lambda: 0.8)
        periodic.start()
        self.clock.advance(5.9)
        self.assertEqual(len(self.turns), 0)
        self.clock.advance(0.1)
        self.assertEqual(len(self.turns), 1)

    def test_failing_turn_is_logged_and_the_next_one_comes(self) -> None:
        """A foreseen failure gives one line, another one its stack."""
        self.periodic.start(now=True)
        self.turns[0].errback(Unavailable("the store is locked"))
        self.assertEqual(self.flushLoggedErrors(), [])
        self.clock.advance(10)
        self.turns[1].errback(ValueError("oops"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.advance(10)
        self.assertEqual(len(self.turns), 3)

    def test_cancelled_turn_does_not_end_the_loop(self) -> None:
        """A turn in which something was cancelled is followed by the next one."""
        self.periodic.start(now=True)
        self.turns[0].errback(CancelledError())
        self.clock.advance(10)
        self.assertEqual(len(self.turns), 2)

    def test_stop_between_turns(self) -> None:
        """At once, and nothing is left on the clock."""
        self.periodic.start()
        self.successResultOf(self.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.stop())

    def test_stop_awaits_the_running_turn(self) -> None:
        """It is over, uninterrupted, when `stop` returns; no other follows."""
        self.periodic.start(now=True)
        stopping = self.stop()
        self.assertNoResult(stopping)
        self.turns[0].callback(None)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_stop_waits_too(self) -> None:
        """A cancelled `stop` raises when the turn is over."""
        self.periodic.start(now=True)
        stopping = self.stop()
        stopping.cancel()
        self.assertNoResult(stopping)
        self.turns[0].callback(None)
        self.failureResultOf(stopping, CancelledError)

    def test_start_again(self) -> None:
        """After a stop it can be started again, also while the last turn still runs: there is one loop."""
        self.periodic.start(now=True)
        stopping = self.stop()
        self.periodic.start(now=True)
        self.turns[0].callback(None)
        self.successResultOf(stopping)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(10)
        self.assertEqual(len(self.turns), 2)
