"""Data and holes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.files.holes import data_size, digest, extents, hash_zeroes, sha256_of

BLOCK = 1 << 16
PIECES = st.lists(st.tuples(st.booleans(), st.integers(1, 3 * BLOCK)), max_size=6)


class Cancelled(Exception):
    """Somebody asked the work to stop."""


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


class DigestTests(SparseTestCase):
    """SHA-256 without reading holes."""

    @settings(max_examples=40, deadline=None)
    @given(PIECES)
    def test_it_is_the_digest_everybody_else_computes(self, pieces: list[tuple[bool, int]]) -> None:
        """Whatever the mixture of data and holes."""
        content = self.write(pieces)
        self.assertEqual(sha256_of(self.source), hashlib.sha256(content).hexdigest())

    def test_holes_are_never_read(self) -> None:
        """Only data goes through read(2)."""
        self.write([(False, 8 << 20), (True, BLOCK)])
        read: list[int] = []
        real = os.pread

        def counting(descriptor: int, length: int, offset: int) -> bytes:
            read.append(length)
            return real(descriptor, length, offset)

        self.patch(os, "pread", counting)
        sha256_of(self.source)
        self.assertEqual(sum(read), BLOCK)

    def test_a_file_that_becomes_shorter_is_an_error(self) -> None:
        """A digest of something else would be worse."""
        self.write([(True, BLOCK)])
        self.patch(os, "pread", lambda *_: b"")
        self.assertRaises(OSError, sha256_of, self.source)

    def test_it_ends_when_it_is_told_to(self) -> None:
        """What `watch` raises comes out."""
        self.write([(True, 3 << 20)])
        self.assertRaises(Cancelled, sha256_of, self.source, stopping)

    def test_zeroes_of_any_length(self) -> None:
        """What a hole reads as, without a file."""
        for length in (0, 1, (1 << 20) + 1):
            hashed = hashlib.sha256()
            hash_zeroes(hashed, length)
            self.assertEqual(hashed.hexdigest(), hashlib.sha256(bytes(length)).hexdigest())

    def test_an_open_file(self) -> None:
        """Is read from its beginning, wherever somebody else has read it to; its name may be gone."""
        content = self.write([(True, 10), (False, BLOCK)])
        with self.source.open("rb") as file:
            file.seek(5)
            self.source.unlink()
            self.assertEqual(digest(file.fileno()), hashlib.sha256(content).hexdigest())


def stopping(done: int, total: int) -> None:
    """A `Watch` that ends the work."""
    raise Cancelled
