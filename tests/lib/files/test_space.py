"""Full file systems."""

from __future__ import annotations

import errno
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.files.space import free_bytes, is_full, say_full


class FullFileSystemTests(SynchronousTestCase):
    """How a full file system shows."""

    def test_errors(self) -> None:
        """A quota that is used up is the same; a missing permission is not."""
        numbers = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EFBIG)
        self.assertEqual([is_full(OSError(number, "")) for number in numbers], [True, True, False, False])

    def test_words(self) -> None:
        """Of any tool, whatever their case."""
        for line in ("dd: writing 'x': No space left on device", "cp: Disk quota exceeded", "Disk Full."):
            self.assertTrue(say_full(["first", line]), line)
        self.assertFalse(say_full(["permission denied"]))

    def test_what_is_free_for_a_file_that_is_not_there_yet(self) -> None:
        """Is what is free in its directory."""
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.assertGreater(free_bytes(directory / "absent"), 0)
