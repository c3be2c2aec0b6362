"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.files import durable
from imagefactory.lib.files.durable import write_whole


class WriteWholeTests(SynchronousTestCase):
    """One step from the old content to the new."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "file"

    def test_content_and_mode(self) -> None:
        """Its directory is made; the mode is as given, whatever it was."""
        write_whole(self.path, b"old")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        write_whole(self.path, b"new", 0o644)
        self.assertEqual((self.path.read_bytes(), self.path.stat().st_mode & 0o777), (b"new", 0o644))
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_a_failure_changes_nothing(self) -> None:
        """The old content stays, and nothing beside it."""
        write_whole(self.path, b"old")

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", full)
        self.assertRaises(OSError, write_whole, self.path, b"new")
        self.assertEqual(self.path.read_bytes(), b"old")
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])


class StartWritingTests(SynchronousTestCase):
    """Writing to the disk in good time."""

    def test_it_changes_nothing(self) -> None:
        """What is in the file stays; a C library without the call, or a file that is closed, is no error."""
        path = Path(self.mktemp())
        path.write_bytes(b"data")
        with path.open("rb") as file:
            durable.start_writing(file.fileno(), 0, 4)
            self.patch(durable, "_sync_file_range", None)
            durable.start_writing(file.fileno(), 0, 4)
        self.assertEqual(path.read_bytes(), b"data")
