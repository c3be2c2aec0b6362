"""The settings of the allocator and of the garbage collector."""

import gc

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.runtime.heap import freeze_objects, keep_pieces


class HeapTests(SynchronousTestCase):
    """What is set in the C library."""

    def test_pieces_are_kept(self) -> None:
        """By their numbers in malloc.h; nothing where the C library has no such call."""
        told: dict[int, int] = {}

        def mallopt(what: int, value: int) -> int:
            told[what] = value
            return 1

        keep_pieces(mallopt)
        self.assertEqual(told, {-3: 4 << 20, -1: 16 << 20, -8: 1})
        keep_pieces(None)
        self.assertEqual(len(told), 3)

    def test_what_is_frozen_is_not_looked_through_again(self) -> None:
        """An object from before is in no generation any more; one from afterwards is."""
        self.addCleanup(gc.unfreeze)
        before: list[object] = [[]]
        freeze_objects()
        after: list[object] = [[]]
        collected = gc.get_objects()
        self.assertFalse(any(each is before for each in collected))
        self.assertTrue(any(each is after for each in collected))
