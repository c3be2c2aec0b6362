"""shield: wait for the work before a cancellation passes."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.shield import shield
from tests.lib.concurrency.steps import Work


class ShieldTests(SynchronousTestCase):
    """What is inside does not notice."""

    def test_value_and_error_pass(self) -> None:
        """Without a cancellation it is transparent."""
        one, two = Work(), Work()
        good, bad = Deferred.fromCoroutine(shield(one.run())), Deferred.fromCoroutine(shield(two.run()))
        one.go.callback(5)
        two.go.errback(KeyError("x"))
        self.assertEqual(self.successResultOf(good), 5)
        self.failureResultOf(bad, KeyError)

    def test_cancellation_waits(self) -> None:
        """The work is not cancelled; the cancellation is raised after its end, even if cancelled twice."""
        work = Work()
        outer = Deferred.fromCoroutine(shield(work.run()))
        outer.cancel()
        outer.cancel()
        self.assertNoResult(outer)
        work.go.callback("done")
        self.assertEqual((work.cancels, work.over), (0, True))
        self.failureResultOf(outer, CancelledError)
