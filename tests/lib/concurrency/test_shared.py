"""SharedRuns: done once for all who ask."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.shared import SharedRuns
from tests.lib.concurrency.steps import Work


class SharedRunsTests(SynchronousTestCase):
    """One run per key."""

    def setUp(self) -> None:
        self.runs: SharedRuns[str, object] = SharedRuns()
        self.works: list[Work] = []

    def ask(self, key: str = "base") -> Deferred[object]:
        """One more who wants `key`."""

        def start() -> object:
            self.works.append(Work())
            return self.works[-1].run()

        return Deferred.fromCoroutine(self.runs.run(key, start))  # type: ignore[arg-type]

    def test_many_waiters_one_run(self) -> None:
        """All get the one outcome, and then the key is free again."""
        asked = [self.ask() for _ in range(5)]
        self.assertTrue(self.runs.running("base"))
        self.works[0].go.callback("tree")
        self.assertEqual([self.successResultOf(one) for one in asked], ["tree"] * 5)
        self.assertEqual((len(self.works), self.runs.running("base")), (1, False))

    def test_keys_do_not_wait_for_each_other(self) -> None:
        """Another key is another run."""
        self.ask("one")
        self.ask("two")
        self.assertEqual(len(self.works), 2)

    def test_failure_is_everybodys(self) -> None:
        """And is not kept: the next one tries anew."""
        asked = [self.ask(), self.ask()]
        self.works[0].go.errback(ValueError())
        for one in asked:
            self.failureResultOf(one, ValueError)
        self.ask()
        self.assertEqual(len(self.works), 2)

    def test_cancelling_one_leaves_the_run(self) -> None:
        """The others get their outcome."""
        one, two = self.ask(), self.ask()
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.works[0].go.callback("tree")
        self.assertEqual(self.successResultOf(two), "tree")

    def test_last_cancel_ends_the_run(self) -> None:
        """The last waiter leaves when the run's clean-up is over."""
        one, two = self.ask(), self.ask()
        one.cancel()
        two.cancel()
        two.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertNoResult(two)
        self.assertEqual(self.works[0].cancels, 1)
        self.works[0].cleaned.callback(None)
        self.failureResultOf(two, CancelledError)

    def test_newcomer_gets_a_new_run_after_a_dying_one(self) -> None:
        """It neither joins the run that is being cancelled nor starts beside it."""
        self.ask().addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        late = [self.ask(), self.ask()]
        self.assertEqual(len(self.works), 1)
        self.works[0].cleaned.callback(None)
        self.assertEqual(len(self.works), 2)
        self.works[1].go.callback("new")
        self.assertEqual([self.successResultOf(one) for one in late], ["new", "new"])

    def test_newcomer_may_give_up_while_it_waits(self) -> None:
        """A cancelled newcomer starts nothing."""
        self.ask().addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        late = self.ask()
        late.cancel()
        self.works[0].cleaned.callback(None)
        self.failureResultOf(late, CancelledError)
        self.assertEqual(len(self.works), 1)
