"""Event: once, for many."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.event import Event, either


class EitherTests(SynchronousTestCase):
    """Waiting for what comes first."""

    def test_the_first_counts(self) -> None:
        """Well or not; the other one has no waiter any more."""
        for happen in (lambda event: event.fire(None), lambda event: event.fail(Failure(ValueError("no")))):
            one: Event[None] = Event()
            other: Event[None] = Event()
            waiting = Deferred.fromCoroutine(either(one, other))
            self.assertNoResult(waiting)
            happen(other)
            self.assertIsNone(self.successResultOf(waiting))
            one.fail(Failure(ValueError("of no interest")))
            self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(either(one, Event()))))

    def test_cancelled(self) -> None:
        """Neither event is touched."""
        one: Event[None] = Event()
        waiting = Deferred.fromCoroutine(either(one, Event()))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        one.fire(None)


class EventTests(SynchronousTestCase):
    """Each waiter has a Deferred of its own."""

    def test_all_waiters_get_the_value(self) -> None:
        """Early and late waiters get what it fired with."""
        event: Event[int] = Event()
        early = event.wait()
        self.assertNoResult(early)
        event.fire(3)
        self.assertEqual((self.successResultOf(early), self.successResultOf(event.wait())), (3, 3))

    def test_cancelling_one_waiter_leaves_the_others(self) -> None:
        """Only the cancelled waiter sees CancelledError."""
        event: Event[int] = Event()
        one, two = event.wait(), event.wait()
        one.cancel()
        self.failureResultOf(one, CancelledError)
        event.fire(1)
        self.assertEqual(self.successResultOf(two), 1)

    def test_a_waiter_that_cancels_a_later_one(self) -> None:
        """While the event is firing: the later one hears that it is cancelled, all others get the value."""
        event: Event[int] = Event()
        first, second, third = event.wait(), event.wait(), event.wait()
        first.addCallback(lambda value: (second.cancel(), value)[1])
        event.fire(1)
        self.failureResultOf(second, CancelledError)
        self.assertEqual((self.successResultOf(first), self.successResultOf(third)), (1, 1))

    def test_a_waiter_that_cancels_an_earlier_one(self) -> None:
        """That one has its value already, and keeps it."""
        event: Event[int] = Event()
        first, second = event.wait(), event.wait()
        second.addCallback(lambda value: (first.cancel(), value)[1])
        event.fire(1)
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (1, 1))

    def test_a_waiter_that_comes_while_it_fires(self) -> None:
        """Has its value at once."""
        event: Event[int] = Event()
        late: list[Deferred[int]] = []
        event.wait().addCallback(lambda _: late.append(event.wait()))
        event.fire(1)
        self.assertEqual(self.successResultOf(late[0]), 1)

    def test_failure_reaches_all_waiters_or_none(self) -> None:
        """A failure without waiters is not logged, later waiters get it."""
        event: Event[int] = Event()
        event.fail(Failure(ValueError("no")))
        self.failureResultOf(event.wait(), ValueError)
        assert event.failure is not None
        self.assertIsInstance(event.failure.value, ValueError)

    def test_happens_once(self) -> None:
        """A second time is refused."""
        event: Event[None] = Event()
        event.fire(None)
        self.assertRaises(RuntimeError, event.fire, None)

    def test_outlast_sits_through_cancellations(self) -> None:
        """However often it is cancelled it waits, acts once, and answers the first cancellation."""
        event: Event[None] = Event()
        acts: list[str] = []
        waiting = Deferred.fromCoroutine(event.outlast(lambda: acts.append("cancel")))
        waiting.cancel()
        waiting.cancel()
        self.assertNoResult(waiting)
        event.fire(None)
        self.assertIsInstance(self.successResultOf(waiting), CancelledError)
        self.assertEqual(acts, ["cancel"])

    def test_outlast_takes_no_failure_for_a_cancellation(self) -> None:
        """An event that fails, even with CancelledError, is just over."""
        event: Event[None] = Event()
        waiting = Deferred.fromCoroutine(event.outlast())
        event.fail(Failure(CancelledError()))
        self.assertIsNone(self.successResultOf(waiting))
