"""sleep and timeout on a clock that the test turns."""

import contextlib

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.concurrency.clock import sleep, timeout
from tests.concurrency.steps import Work


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
