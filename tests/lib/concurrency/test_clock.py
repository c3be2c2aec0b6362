"""sleep and timeout on a clock that the test turns."""

import contextlib

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.clock import WallClock, sleep, timeout, wait_steadily
from tests.lib.concurrency.steps import Work


class SleepTests(SynchronousTestCase):
    """Waiting."""

    def test_goes_on_after_its_seconds(self) -> None:
        """Not before, and then at once."""
        clock = Clock()
        nap = Deferred.fromCoroutine(sleep(clock, 5))
        clock.advance(4.9)
        self.assertNoResult(nap)
        clock.advance(0.1)
        self.successResultOf(nap)

    def test_cancel_leaves_no_delayed_call(self) -> None:
        """A cancelled sleep is taken off the clock."""
        clock = Clock()
        nap = Deferred.fromCoroutine(sleep(clock, 5))
        nap.cancel()
        self.failureResultOf(nap, CancelledError)
        self.assertEqual(clock.getDelayedCalls(), [])


class TimeoutTests(SynchronousTestCase):
    """Limits."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.work = Work()

    def start(self, seconds: float | None = 10) -> Deferred[object]:
        return Deferred.fromCoroutine(timeout(self.clock, seconds, self.work.run()))

    def test_in_time(self) -> None:
        """The value passes and no call is left on the clock."""
        outer = self.start()
        self.work.go.callback(1)
        self.assertEqual(self.successResultOf(outer), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_limit(self) -> None:
        """None is for ever."""
        self.start(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        """The work is cancelled once, and TimeoutError comes after its clean-up."""
        outer = self.start()
        self.clock.advance(10)
        self.assertNoResult(outer)
        self.assertEqual(self.work.cancels, 1)
        self.work.cleaned.callback(None)
        self.assertIn("10 seconds", str(self.failureResultOf(outer, TimeoutError).value))

    def test_cancel_during_the_cleanup(self) -> None:
        """It does not interrupt the clean-up, and it is not swallowed."""
        outer = self.start()
        self.clock.advance(10)
        outer.cancel()
        self.assertEqual(self.work.cancels, 1)
        self.work.cleaned.callback(None)
        self.failureResultOf(outer, CancelledError)

    def test_work_that_swallows_the_cancel_has_timed_out_all_the_same(self) -> None:
        """A value that comes after the limit is no value."""

        async def stubborn() -> str:
            with contextlib.suppress(CancelledError):
                await Deferred()
            return "value"

        outer = Deferred.fromCoroutine(timeout(self.clock, 1, stubborn()))
        self.clock.advance(1)
        self.failureResultOf(outer, TimeoutError)


class SteadyTests(SynchronousTestCase):
    """A computer whose clock is set while something waits."""

    def setUp(self) -> None:
        self.wall, self.monotonic = 1_000_000.0, 50.0
        self.reactor = SelectReactor()  # type: ignore[no-untyped-call]
        for reader in self.reactor.removeAll():
            self.addCleanup(reader.connectionLost, Failure(ConnectionDone()))
        self.fired: list[float] = []

    def pass_time(self, seconds: float) -> None:
        """On both clocks; then the reactor looks what is due."""
        self.wall += seconds
        self.monotonic += seconds
        self.reactor.runUntilCurrent()

    def test_waiting(self) -> None:
        """Neither a clock that is set back nor one that is set forward changes how long a real reactor waits."""
        wait_steadily(self.reactor, lambda: self.wall, lambda: self.monotonic)
        for step in (-3600.0, 3600.0):
            self.fired.clear()
            self.reactor.callLater(10, self.fired.append, step)
            self.wall += step
            self.pass_time(9)
            self.assertEqual(self.fired, [])
            self.pass_time(2)
            self.assertEqual(self.fired, [step])

    def test_wall_clock(self) -> None:
        """The time that people see is that of the computer, and waiting is still steady."""
        wait_steadily(self.reactor, lambda: self.wall, lambda: self.monotonic)
        clock = WallClock(self.reactor, lambda: self.wall)
        call = clock.callLater(10, self.fired.append, 1.0)
        self.wall -= 3600
        self.assertEqual(clock.seconds(), self.wall)
        self.assertEqual(list(clock.getDelayedCalls()), [call])
        self.pass_time(10)
        self.assertEqual(self.fired, [1.0])
