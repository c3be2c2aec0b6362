"""Data and holes."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.disk import extents as module
from imagefactory.disk.extents import adopt, clone, copy_sparse, data_size, extents, sha256_of, share
from imagefactory.model.errors import NoSpace

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


class CopyTests(SparseTestCase):
    """Copies, clones, and moves over file systems."""

    @settings(max_examples=30, deadline=None)
    @given(PIECES, st.booleans())
    def test_the_copy_is_the_same_and_as_sparse(self, pieces: list[tuple[bool, int]], in_kernel: bool) -> None:
        """With the kernel's help and without."""
        content = self.write(pieces)
        copy = self.fresh()
        real = os.copy_file_range
        os.copy_file_range = real if in_kernel else refuse(errno.EXDEV)
        try:
            copy_sparse(self.source, copy)
        finally:
            os.copy_file_range = real
        self.assertEqual(copy.read_bytes(), content)
        self.assertEqual(data_size(copy), data_size(self.source))

    def test_what_is_there_is_not_overwritten(self) -> None:
        """A copy goes to a new file."""
        self.write([(True, 10)])
        copy = self.fresh()
        copy.write_bytes(b"precious")
        for way in (copy_sparse, clone, share):
            self.assertRaises(FileExistsError, way, self.source, copy)
        self.assertEqual(copy.read_bytes(), b"precious")

    def test_a_full_disk_names_path_and_bytes(self) -> None:
        """NoSpace, and no half a copy."""
        self.write([(True, BLOCK), (False, BLOCK)])
        self.patch(os, "copy_file_range", refuse(errno.ENOSPC))
        self.patch(os, "pwrite", refuse(errno.ENOSPC))
        error = self.assertRaises(NoSpace, copy_sparse, self.source, self.fresh())
        self.assertIn(str(BLOCK), str(error))
        self.assertEqual(error.where, str(self.directory / "copy"))
        self.assertEqual(list(self.directory.iterdir()), [self.source])

    def test_a_stopped_copy_leaves_nothing(self) -> None:
        """The unfinished file is removed."""
        self.write([(True, 3 << 20)])
        self.assertRaises(Cancelled, copy_sparse, self.source, self.fresh(), stopping)
        self.assertEqual(list(self.directory.iterdir()), [self.source])

    def test_sharing_falls_back_to_a_hard_link_and_then_to_a_copy(self) -> None:
        """Each file system gives what it can."""
        content = self.write([(True, 100), (False, BLOCK)])
        self.patch(module.fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
        share(self.source, self.fresh())
        self.assertTrue((self.directory / "copy").samefile(self.source))
        self.patch(os, "link", refuse(errno.EXDEV))
        share(self.source, self.fresh())
        self.assertFalse((self.directory / "copy").samefile(self.source))
        self.assertEqual((self.directory / "copy").read_bytes(), content)

    def test_adopting_renames(self) -> None:
        """On one file system the very file moves, over what is there."""
        self.write([(True, 100)])
        inode = self.source.stat().st_ino
        copy = self.fresh()
        copy.write_bytes(b"old")
        adopt(self.source, copy)
        self.assertEqual(copy.stat().st_ino, inode)
        self.assertFalse(self.source.exists())

    def test_adopting_from_another_file_system_copies(self) -> None:
        """The source goes only when the copy is complete and in place; nothing else stays."""
        content = self.write([(True, 100), (False, BLOCK)])
        copy = self.fresh()
        real = Path.replace

        def replace(path: Path, target: Path) -> Path:
            if path == self.source:
                raise OSError(errno.EXDEV, "another file system")
            return real(path, target)

        self.patch(Path, "replace", replace)
        adopt(self.source, copy)
        self.assertEqual(copy.read_bytes(), content)
        self.assertEqual(list(self.directory.iterdir()), [copy])


def stopping(done: int, total: int) -> None:
    """A `Watch` that ends the work."""
    raise Cancelled


def refuse(number: int) -> Any:
    """A system call that fails."""

    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call
