"""Coroutines that end before they wait, and such as do not."""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.immediate import result_or_deferred


async def waiting(*deferreds: Deferred[int]) -> int:
    """The sum of what they fire with; one that fails counts as 100."""
    total = 0
    for deferred in deferreds:
        try:
            total += await deferred
        except ZeroDivisionError:
            total += 100
    return total


class ImmediateTests(SynchronousTestCase):
    """What comes back, and when."""

    def test_nothing_to_wait_for(self) -> None:
        """The result itself, also of something awaited that is there already."""
        self.assertEqual(result_or_deferred(waiting()), 0)
        self.assertEqual(result_or_deferred(waiting(succeed(1), succeed(2))), 3)

    def test_an_error_at_once(self) -> None:
        """It is raised."""

        async def fail() -> None:
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, result_or_deferred, fail())

    def test_several_waits(self) -> None:
        """Values and failures arrive where they are awaited."""
        first, second, third = Deferred[int](), Deferred[int](), Deferred[int]()
        found = cast("Deferred[int]", result_or_deferred(waiting(succeed(1), first, second, third)))
        self.assertNoResult(found)
        first.callback(2)
        second.errback(ZeroDivisionError())
        self.assertNoResult(found)
        third.callback(4)
        self.assertEqual(self.successResultOf(found), 107)

    def test_an_error_later(self) -> None:
        """It fails the Deferred."""
        gate = Deferred[int]()
        found = cast("Deferred[int]", result_or_deferred(waiting(gate)))
        gate.errback(ValueError("no"))
        self.failureResultOf(found, ValueError)

    def test_cancelling(self) -> None:
        """What is awaited is cancelled, and the work hears of it."""
        gate = Deferred[int]()
        found = cast("Deferred[int]", result_or_deferred(waiting(gate)))
        found.cancel()
        self.failureResultOf(found, CancelledError)
        self.assertTrue(gate.called)
