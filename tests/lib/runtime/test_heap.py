"""The allocator's settings."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.runtime.heap import keep_pieces


class HeapTests(SynchronousTestCase):
    """What the C library is told."""

    def test_pieces_are_kept(self) -> None:
        """By their numbers in malloc.h; nobody is asked where there is no such call."""
        told: dict[int, int] = {}

        def mallopt(what: int, value: int) -> int:
            told[what] = value
            return 1

        keep_pieces(mallopt)
        self.assertEqual(told, {-3: 4 << 20, -1: 16 << 20, -8: 1})
        keep_pieces(None)
        self.assertEqual(len(told), 3)
