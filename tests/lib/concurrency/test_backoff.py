"""backoff: growing, bounded, spread."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.backoff import backoff


class BackoffTests(SynchronousTestCase):
    """Delays between tries."""

    def test_grows_to_its_limit(self) -> None:
        """Without luck the delays double up to the limit."""
        delays = backoff(lambda: 0.0, first=1, factor=2, limit=5)
        self.assertEqual(list(islice(delays, 5)), [1, 2, 4, 5, 5])

    @given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
    def test_jitter_shortens_within_its_share(self, luck: list[float]) -> None:
        """Each delay is between half and all of its full length."""
        source = iter(luck)
        for full, delay in zip([1, 2, 4, 8, 16, 30, 30], backoff(lambda: next(source), limit=30), strict=False):
            self.assertTrue(full / 2 <= delay <= full)
