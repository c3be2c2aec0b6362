"""Bodies on their way: files with and without holes."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.warehouse.client.sending import BLOCK, in_memory, opened
from imagefactory.warehouse.wire import Frames
from tests.warehouse.places import fresh_directory

EXTENTS = st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=50)), max_size=6)


class SourceTests(SynchronousTestCase):
    """What is sent stands for the file, byte by byte."""

    def setUp(self) -> None:
        self.path = fresh_directory(self) / "file"

    def sent(self, framed: bool) -> bytes | None:
        """What the server gets to see of the file; None if it would not be framed."""
        with opened(self.path) as whole:
            source = whole.framed() if framed else whole
            if source is None:
                return None
            data = b"".join(source.read(block) for block in source.blocks())
            self.assertEqual(len(data), source.length)
        if not framed:
            return data
        got = bytearray()
        frames = Frames(got.extend, lambda length: got.extend(bytes(length)))
        frames.feed(data)
        self.assertEqual(frames.ended(), "")
        return bytes(got)

    @settings(max_examples=40, deadline=None)
    @given(EXTENTS, st.integers(0, 40))
    def test_any_file(self, extents: list[tuple[int, bytes]], tail: int) -> None:
        """Whatever is data and whatever is a hole, both ways of sending it say the same as reading it."""
        with self.path.open("wb") as file:
            for hole, data in extents:
                file.seek(hole << 16, 1)
                file.write(data)
            file.truncate(file.tell() + (tail << 16))
        content = self.path.read_bytes()
        self.assertEqual(self.sent(framed=False), content)
        self.assertIn(self.sent(framed=True), {content, None})

    def test_holes_are_left_out(self) -> None:
        """A file of holes costs next to nothing; a file without any is sent as it is."""
        with self.path.open("wb") as file:
            file.truncate(10 * BLOCK)
        with opened(self.path) as whole:
            framed = whole.framed()
            assert framed is not None
            self.assertLess(framed.length, 100)
        self.path.write_bytes(b"x" * BLOCK)
        self.assertIsNone(self.sent(framed=True))

    def test_rest(self) -> None:
        """An upload that goes on sends what is missing, no more."""
        self.path.write_bytes(bytes(range(200)))
        with opened(self.path) as whole:
            rest = whole.rest(150)
            self.assertEqual(b"".join(map(rest.read, rest.blocks())), bytes(range(150, 200)))

    def test_nothing(self) -> None:
        """An empty body is no block at all."""
        self.assertEqual((list(in_memory(b"").blocks()), in_memory(b"").length), ([], 0))
