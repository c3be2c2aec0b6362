"""The content of an image file at another path."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from imagefactory.lib.errors import NoSpace
from imagefactory.lib.files import holes
from imagefactory.lib.files.holes import data_size
from imagefactory.systems.disk.copies import adopt, clone, copy_sparse, share
from tests.lib.files.test_holes import BLOCK, PIECES, SparseTestCase


class Cancelled(Exception):
    """The work was asked to stop."""


def stopping(done: int, total: int) -> None:
    """A `Watch` that ends the work."""
    raise Cancelled


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
        self.patch(holes.fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
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


def refuse(number: int) -> Any:
    """A system call that fails."""

    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call
