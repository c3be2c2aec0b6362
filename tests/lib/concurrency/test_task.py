"""Task: cancelled at most once."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.task import Task
from tests.lib.concurrency.steps import Work


class TaskTests(SynchronousTestCase):
    """A coroutine that runs by itself."""

    def test_answers_all_who_await(self) -> None:
        """Several can await one task."""
        work = Work()
        task = Task(work.run())
        waiters = [Deferred.fromCoroutine(task.settled()), task.ended.wait()]
        work.go.callback("value")
        self.assertIsNone(self.successResultOf(waiters[0]))
        self.assertEqual(self.successResultOf(waiters[1]), "value")

    def test_second_cancel_does_not_interrupt_the_cleanup(self) -> None:
        """The clean-up runs to its end however often cancel() is called."""
        work = Work()
        task = Task(work.run())
        task.cancel()
        task.cancel()
        self.assertFalse(work.over)
        work.cleaned.callback(None)
        self.assertEqual((work.cancels, work.over), (1, True))
        self.failureResultOf(task.ended.wait(), CancelledError)

    def test_cancelling_a_waiter_leaves_the_work(self) -> None:
        """Only cancel() reaches the work."""
        work = Work()
        task = Task(work.run())
        waiter = task.ended.wait()
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.assertEqual(work.cancels, 0)
        work.go.callback(None)

    def test_cancel_from_within_takes_effect_at_the_next_await(self) -> None:
        """A coroutine that causes its own cancellation while it executes is not missed."""
        seen: list[str] = []

        async def suicidal() -> None:
            await started
            task.cancel()
            seen.append("still here")
            try:
                await Deferred()
            except CancelledError:
                seen.append("cancelled")
                raise

        started: Deferred[None] = Deferred()
        task = Task(suicidal())
        started.callback(None)
        self.assertEqual(seen, ["still here", "cancelled"])
        self.failureResultOf(task.ended.wait(), CancelledError)

    def test_work_may_be_any_awaitable(self) -> None:
        """A Deferred is as good as a coroutine, and errors pass."""
        work: Deferred[None] = Deferred()
        task = Task(work)
        work.errback(ValueError("bad"))
        self.failureResultOf(task.ended.wait(), ValueError)

    def test_work_that_handles_an_error_goes_on(self) -> None:
        """Errors of what it awaits are thrown into the work."""

        async def careful() -> str:
            try:
                await first
            except ValueError:
                return await second
            return "not reached"

        first: Deferred[None] = Deferred()
        second: Deferred[str] = Deferred()
        task = Task(careful())
        first.errback(ValueError())
        second.callback("recovered")
        self.assertEqual(self.successResultOf(task.ended.wait()), "recovered")
