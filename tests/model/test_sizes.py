"""Sizes as people write them."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model.sizes import LARGEST, format_size, parse_size


class SizeTests(SynchronousTestCase):
    """Units, and what has none."""

    def test_units(self) -> None:
        """A letter and `iB` are powers of 1024, `B` after a letter makes powers of 1000."""
        expected = {
            "7": 7,
            "7b": 7,
            "7K": 7 << 10,
            "7kib": 7 << 10,
            "7 kB": 7000,
            "1G": 1 << 30,
            "1GB": 10**9,
            "2tib": 2 << 40,
            "1P": 1 << 50,
            "1EB": 10**18,
        }
        self.assertEqual({text: parse_size(text) for text in expected}, expected)

    def test_a_number_without_unit_counts_what_the_caller_says(self) -> None:
        """GiB in a template, bytes in a setting."""
        self.assertEqual(parse_size("3", bare=1 << 30), 3 << 30)
        self.assertEqual(parse_size("3b", bare=1 << 30), 3)

    def test_what_is_no_size(self) -> None:
        """Fractions, signs, units alone, unknown units, and more than any disk has."""
        for text in ("", "G", "1.5G", "-1", "+1", "1i", "1iB", "1 parsec", "1_000", "1ZB", "9" * 100):
            self.assertRaises(ValueError, parse_size, text)

    @given(st.integers(0, LARGEST))
    def test_what_is_written_is_read(self, size: int) -> None:
        """`format_size` is exact."""
        self.assertEqual(parse_size(format_size(size)), size)

    @given(st.text())
    def test_nothing_but_value_error(self, text: str) -> None:
        """Whatever the text is."""
        try:
            self.assertLessEqual(parse_size(text), LARGEST)
        except ValueError as error:
            self.assertTrue(str(error).startswith("is "))
