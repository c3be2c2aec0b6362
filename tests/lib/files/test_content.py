"""Digests of contents: of all bytes, and of what is data."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Stopped
from imagefactory.lib.files.content import BLOCK, ContentDigest, Digest, Reading, WholeDigest, content_of

PLACES = st.dictionaries(st.integers(0, 4 * BLOCK), st.binary(min_size=1, max_size=64), max_size=4)
PARTS = st.lists(st.tuples(st.booleans(), st.integers(1, BLOCK + 70_000)), max_size=6)


def file(pieces: dict[int, bytes], size: int, path: Path, *, holes: bool) -> Path:
    """A file of this size with these pieces in it."""
    path.write_bytes(b"" if holes else bytes(size))
    os.truncate(path, size)
    with path.open("r+b") as opened:
        for at, data in pieces.items():
            opened.seek(at)
            opened.write(data)
    return path


def together(parts: list[tuple[bool, int]]) -> bytes:
    """The content of parts of data or zeroes, and their lengths."""
    return b"".join((b"x" if data else b"\0") * length for data, length in parts)


class ContentTests(SynchronousTestCase):
    """The digest sees data and nothing else."""

    def file(self, pieces: dict[int, bytes], size: int, *, holes: bool) -> Path:
        return file(pieces, size, Path(self.mktemp()), holes=holes)

    @given(PLACES)
    def test_holes_and_zeroes_are_the_same(self, pieces: dict[int, bytes]) -> None:
        """A copy that lost its holes, or found some, is the same result."""
        size = 5 * BLOCK
        sparse, dense = (self.file(pieces, size, holes=holes) for holes in (True, False))
        self.assertEqual(content_of(sparse), content_of(dense))

    @given(PLACES, st.integers(0, 5 * BLOCK - 1), st.integers(1, 255))
    def test_every_byte_counts(self, pieces: dict[int, bytes], at: int, change: int) -> None:
        """One byte changed anywhere, in data or in a hole, is another content."""
        path = self.file(pieces, 5 * BLOCK, holes=True)
        before = content_of(path)
        with path.open("r+b") as opened:
            opened.seek(at)
            old = opened.read(1)[0]
            opened.seek(at)
            opened.write(bytes([old ^ change]))
        self.assertNotEqual(content_of(path), before)

    def test_size_and_place_count(self) -> None:
        """Zeroes at the end, and the same data elsewhere."""
        contents = {
            content_of(self.file(pieces, size, holes=True))
            for pieces, size in (
                ({0: b"a"}, BLOCK),
                ({0: b"a"}, 2 * BLOCK),
                ({BLOCK: b"a"}, 2 * BLOCK),
                ({}, BLOCK),
                ({}, 0),
            )
        }
        self.assertEqual(len(contents), 5)

    def test_it_can_be_stopped(self) -> None:
        """What `watch` raises ends it."""

        def watch(done: int, total: int) -> None:
            raise Stopped("enough")

        self.assertRaises(Stopped, content_of, self.file({0: b"a"}, BLOCK, holes=True), watch)

    def test_holes_are_never_read(self) -> None:
        """Only data goes through read(2)."""
        path = self.file({8 * BLOCK: b"x" * 65536}, 8 * BLOCK + 65536, holes=True)
        read: list[int] = []
        real = os.pread

        def counting(descriptor: int, length: int, offset: int) -> bytes:
            read.append(length)
            return real(descriptor, length, offset)

        self.patch(os, "pread", counting)
        content_of(path)
        self.assertEqual(sum(read), 65536)


class DigestTests(SynchronousTestCase):
    """What both kinds promise, however the content comes."""

    @settings(deadline=None)
    @given(PARTS, st.integers(1000, 2 * BLOCK))
    def test_pieces_and_skips_make_no_difference(self, parts: list[tuple[bool, int]], step: int) -> None:
        """Zeroes that are skipped count as zeroes that come, and any pieces as any others."""
        content = together(parts)
        for kind in (WholeDigest, ContentDigest):
            skipped, cut = kind(), kind()
            for data, length in parts:
                _ = skipped.update(b"x" * length) if data else skipped.skip(length)
            for at in range(0, len(content), step):
                cut.update(content[at : at + step])
            self.assertEqual(skipped.hexdigest(), cut.hexdigest())

    @given(PARTS)
    def test_one_of_them_is_what_everybody_computes(self, parts: list[tuple[bool, int]]) -> None:
        """SHA-256 of all bytes."""
        content = together(parts)
        digest = WholeDigest()
        digest.update(content)
        self.assertEqual(digest.hexdigest(), hashlib.sha256(content).hexdigest())

    def test_the_other_is_written_down(self) -> None:
        """It is stored for years: it must not change."""
        digest = ContentDigest()
        digest.skip(2 * BLOCK + 5)
        digest.update(b"data")
        expected = hashlib.sha256((2).to_bytes(8) + bytes(5) + b"data" + (2 * BLOCK + 9).to_bytes(8))
        self.assertEqual(digest.hexdigest(), expected.hexdigest())

    def test_asking_changes_nothing(self) -> None:
        """More may come after it was asked for."""
        asked, unasked = ContentDigest(), ContentDigest()
        for digest in (asked, unasked):
            digest.update(b"some")
        asked.hexdigest()
        for digest in (asked, unasked):
            digest.update(b"more")
        self.assertEqual(asked.hexdigest(), unasked.hexdigest())

    @given(PARTS)
    def test_reading_is_the_same_as_receiving(self, parts: list[tuple[bool, int]]) -> None:
        """By parts of data, without what is between them."""
        content = together(parts)
        at, data = 0, []
        for is_data, length in parts:
            data += [(at, length)] if is_data else []
            at += length
        for kind in (WholeDigest, ContentDigest):
            received: Digest = kind()
            received.update(content)
            read = Reading(kind(), len(content), data, lambda at, length: content[at : at + length])
            self.assertEqual(read.whole(), received.hexdigest())
