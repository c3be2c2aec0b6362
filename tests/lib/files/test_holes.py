"""Data and holes."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.files.holes import data_size, extents

BLOCK = 1 << 16
PIECES = st.lists(st.tuples(st.booleans(), st.integers(1, 3 * BLOCK)), max_size=6)


class SparseTestCase(SynchronousTestCase):
    """Makes files of data and holes."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        self.source = self.directory / "source"

    def write(self, pieces: list[tuple[bool, int]]) -> bytes:
        """Write the pieces (data or hole, length) to `source`, and answer its content."""
        content = b"".join((b"x" if data else b"\0") * length for data, length in pieces)
        at = 0
        with self.source.open("wb") as file:
            file.truncate(len(content))
            for data, length in pieces:
                if data:
                    os.pwrite(file.fileno(), b"x" * length, at)
                at += length
        return content

    def fresh(self) -> Path:
        """A name that is free."""
        path = self.directory / "copy"
        path.unlink(missing_ok=True)
        return path


class ExtentTests(SparseTestCase):
    """The list of extents."""

    @settings(max_examples=40, deadline=None)
    @given(PIECES)
    def test_extents_cover_the_file_once_and_holes_are_zeroes(self, pieces: list[tuple[bool, int]]) -> None:
        """No gap, no overlap, no data called a hole."""
        content = self.write(pieces)
        with self.source.open("rb") as file:
            found = list(extents(file.fileno()))
        at = 0
        for extent in found:
            self.assertEqual(extent.start, at)
            self.assertGreater(extent.length, 0)
            at += extent.length
            if not extent.data:
                self.assertFalse(any(content[extent.start : at]))
        self.assertEqual(at, len(content))

    def test_a_hole_is_not_data(self) -> None:
        """A large file with little in it has little work in it."""
        self.write([(False, 10 << 20), (True, BLOCK), (False, 10 << 20)])
        self.assertEqual(data_size(self.source), BLOCK)
