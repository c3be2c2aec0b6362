"""Many things, some at a time."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.parallel import in_parallel


class ParallelTests(SynchronousTestCase):
    """Questions that are answered when the test says so."""

    def setUp(self) -> None:
        self.asked: dict[int, Deferred[str]] = {}

    async def ask(self, number: int) -> str:
        self.asked[number] = Deferred()
        return await self.asked[number]

    def test_some_at_a_time_and_in_order(self) -> None:
        """The next begins when one has ended, whichever; the answers are in the order of the questions."""
        answers = Deferred.fromCoroutine(in_parallel(self.ask, range(4), at_once=2))
        self.assertEqual([*self.asked], [0, 1])
        self.asked[1].callback("b")
        self.assertEqual([*self.asked], [0, 1, 2])
        self.asked[0].callback("a")
        self.asked[3].callback("d")
        self.asked[2].callback("c")
        self.assertEqual(self.successResultOf(answers), ["a", "b", "c", "d"])

    def test_nothing_and_a_failure(self) -> None:
        """Nothing is answered at once; a failure ends the others."""
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(in_parallel(self.ask, []))), [])
        answers = Deferred.fromCoroutine(in_parallel(self.ask, range(4), at_once=2))
        self.asked[0].errback(ValueError("no"))
        self.failureResultOf(answers, ValueError)
        self.assertEqual([*self.asked], [0, 1])
