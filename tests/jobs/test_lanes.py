"""First come, first served."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.lanes import Lane


class LaneTests(SynchronousTestCase):
    """Places and those who wait for them."""

    def enter(self, lane: Lane, id: str) -> Deferred[None]:
        return Deferred.fromCoroutine(lane.enter(id))

    def test_in_order(self) -> None:
        """A place that gets free goes to who waits longest."""
        lane = Lane(1)
        self.successResultOf(self.enter(lane, "a"))
        second, third = self.enter(lane, "b"), self.enter(lane, "c")
        self.assertEqual([None, 1, 2], [lane.position(id) for id in "abc"])
        lane.leave()
        self.successResultOf(second)
        self.assertNoResult(third)
        self.assertEqual(1, lane.position("c"))

    def test_who_leaves_the_queue_takes_no_place(self) -> None:
        """The next one moves up."""
        lane = Lane(1)
        self.enter(lane, "a")
        second, third = self.enter(lane, "b"), self.enter(lane, "c")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        lane.leave()
        self.successResultOf(third)
        lane.leave()
        self.successResultOf(self.enter(lane, "d"))

    def test_without_limit(self) -> None:
        """Nobody waits."""
        lane = Lane(None)
        for id in "abc":
            self.successResultOf(self.enter(lane, id))
        lane.leave()
