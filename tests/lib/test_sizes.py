"""Sizes for people."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.sizes import human_size

MIB, GIB = 1 << 20, 1 << 30


class HumanSizeTests(SynchronousTestCase):
    """Bytes in words."""

    def test_sizes_are_never_rounded_down(self) -> None:
        """A hint that says "at least" stays true."""
        texts = [human_size(size) for size in (1, MIB, MIB + 1, 10 * GIB + 1)]
        self.assertEqual(texts, ["1 MiB", "1 MiB", "2 MiB", "10.1 GiB"])
