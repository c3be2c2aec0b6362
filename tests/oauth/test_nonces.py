"""Which requests were seen."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model.errors import Busy
from imagefactory.oauth.nonces import Nonces


class NoncesTests(SynchronousTestCase):
    """The store of nonces."""

    def test_bounded_and_forgetful(self) -> None:
        """Full of living ones it is busy; old ones make room."""
        clock = Clock()
        nonces = Nonces(clock.seconds, 300, most=3)
        for number in range(3):
            nonces.add("key", 0, str(number))
        self.assertRaises(Busy, nonces.add, "key", 0, "3")
        self.assertTrue(nonces.known("key", 0, "0"))
        clock.advance(301)
        nonces.add("key", 301, "3")
        self.assertEqual((len(nonces), nonces.known("key", 0, "0")), (1, False))
