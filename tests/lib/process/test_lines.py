"""Lines and Text: bytes in any pieces, the same text."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.process.lines import CappedText, LineSplitter


def cut(data: bytes, size: int, longest: int = 100) -> list[str]:
    """The lines of `data` when it comes in pieces of `size`."""
    lines: list[str] = []
    splitter = LineSplitter(lines.append, longest)
    for start in range(0, len(data), size):
        splitter.feed(data[start : start + size])
    splitter.close()
    return lines


class LinesTests(SynchronousTestCase):
    """Cutting."""

    def test_all_line_ends(self) -> None:
        """Newline, carriage return, both; an empty line stays, a last line without end counts."""
        self.assertEqual(cut(b"a\nb\rc\r\nd\n\ne", 100), ["a", "b", "c", "d", "", "e"])

    def test_complete_line_is_delivered_at_once(self) -> None:
        """Progress is seen when its carriage return comes, not with the next."""
        lines: list[str] = []
        splitter = LineSplitter(lines.append)
        splitter.feed(b"  (10.00/100%)\r")
        self.assertEqual(lines, ["  (10.00/100%)"])
        splitter.feed(b"\nnext\n")
        self.assertEqual(lines, ["  (10.00/100%)", "next"])

    def test_split_character(self) -> None:
        """A character that comes in two reads is one character."""
        self.assertEqual(cut("Grüße €\n".encode(), 1), ["Grüße €"])

    def test_bytes_that_are_no_text(self) -> None:
        """They are replaced, also at the very end."""
        self.assertEqual(cut(b"\xff\nab\xc3", 100), ["�", "ab�"])

    def test_line_without_end_does_not_grow(self) -> None:
        """It is delivered in pieces of the longest length."""
        self.assertEqual(cut(b"x" * 250 + b"\n", 7), ["x" * 100, "x" * 100, "x" * 50])
        self.assertEqual(cut(b"x" * 250 + b"\n", 1000), ["x" * 100, "x" * 100, "x" * 50])

    @given(st.text(alphabet="ab\r\né€😀"), st.integers(1, 7))
    def test_pieces_do_not_matter(self, text: str, size: int) -> None:
        """Whatever the pieces, the lines are those of the whole."""
        data = text.encode()
        self.assertEqual(cut(data, size), cut(data, len(data) + 1))

    @given(st.binary(), st.integers(1, 5))
    def test_hostile_bytes(self, data: bytes, size: int) -> None:
        """No bytes break it, and no line has an end in it."""
        self.assertFalse([line for line in cut(data, size) if "\n" in line or "\r" in line])


class TextTests(SynchronousTestCase):
    """Keeping."""

    def test_text_is_exact(self) -> None:
        """Line ends stay what they are."""
        text = CappedText(100)
        for byte in "a\r\né".encode():
            text.feed(bytes([byte]))
        text.close()
        self.assertEqual(str(text), "a\r\né")

    def test_limit(self) -> None:
        """One character too many is an error."""
        text = CappedText(3)
        text.feed(b"abc")
        self.assertRaises(OverflowError, text.feed, b"d")
