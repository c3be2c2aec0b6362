"""TaskSet: background tasks with an owner."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.errors import Unavailable
from tests.lib.concurrency.steps import Work


class TaskSetTests(SynchronousTestCase):
    """Tasks go on by themselves, and end with their owner."""

    def setUp(self) -> None:
        self.tasks = TaskSet("the test")

    def close(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.tasks.close())

    def test_ended_tasks_are_forgotten(self) -> None:
        """A set that lives long holds what runs, and nothing else."""
        work = Work()
        task = self.tasks.add(work.run())
        self.assertEqual(len(self.tasks), 1)
        work.go.callback(3)
        self.assertEqual(len(self.tasks), 0)
        self.assertEqual(self.successResultOf(task.ended.wait()), 3)

    def test_one_failure_leaves_the_others(self) -> None:
        """It is logged, as nothing may wait for it."""
        one, other = Work(), Work()
        self.tasks.add(one.run())
        self.tasks.add(other.run())
        one.go.errback(ValueError("oops"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertFalse(other.over)

    def test_own_report(self) -> None:
        """A failure goes to `on_failure` instead of the log; what that raises is logged."""
        failures: list[Failure] = []
        self.tasks.add(_fails(), on_failure=failures.append)
        self.assertEqual([str(failure.value) for failure in failures], ["no"])
        self.tasks.add(_fails(), on_failure=lambda failure: failure)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.tasks), 0)

    def test_close_cancels_once_and_waits(self) -> None:
        """It is over when all have cleaned up, however often it is called or cancelled."""
        works = [Work(), Work()]
        for work in works:
            self.tasks.add(work.run())
        closing, again = self.close(), self.close()
        closing.cancel()
        works[0].cleaned.callback(None)
        self.assertNoResult(closing)
        works[1].cleaned.callback(None)
        self.failureResultOf(closing, CancelledError)
        self.successResultOf(again)
        self.assertEqual([work.cancels for work in works], [1, 1])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_close_of_none(self) -> None:
        """Nothing to wait for."""
        self.successResultOf(self.close())

    def test_refuses_after_close(self) -> None:
        """While it closes and afterwards: the work is not begun."""
        work = Work()
        self.tasks.add(work.run())
        closing = self.close()
        late = Work()
        for _ in range(2):
            with self.assertRaises(Unavailable) as caught:
                self.tasks.add(late.run())
            self.assertIn("the test is stopping", str(caught.exception))
            if not work.cleaned.called:
                work.cleaned.callback(None)
        self.successResultOf(closing)
        self.assertEqual((late.over, self.flushWarnings()), (False, []))


async def _fails() -> None:
    raise ValueError("no")
