"""Directories for runs: made, scattered, gone."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import struct
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, Conflict
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.testing.threads import ImmediateThreads


class Journal:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.known: list[Path] = []

    async def add_workspace(self, path: Path) -> None:
        self.known.append(path)

    async def drop_workspace(self, path: Path) -> None:
        self.known.remove(path)


async def remove(path: Path) -> None:
    """As the real one, for empty directories."""
    if path.exists():
        path.rmdir()


async def busy(path: Path) -> None:
    """As the real one when something is mounted there."""
    raise Conflict("something is mounted there", where=str(path))


class WorkspaceTests(SynchronousTestCase):
    """What a run gets."""

    def setUp(self) -> None:
        self.journal = Journal()
        self.imgdir = Path(self.mktemp())
        self.workspaces = Workspaces(self.imgdir, self.journal, remove, ImmediateThreads())

    def make(self) -> Path:
        """A workspace."""
        return self.successResultOf(self.made())

    def made(self) -> Deferred[Path]:
        """One that may fail."""
        return Deferred.fromCoroutine(self.workspaces.make("job"))

    def test_made_and_journalled(self) -> None:
        """Each is a new directory that others may enter, as the tree's root must, and the journal knows it."""
        first, second = self.make(), self.make()
        self.assertNotEqual(first, second)
        self.assertEqual(stat.S_IMODE(first.stat().st_mode), 0o755)
        self.assertEqual(self.journal.known, [first, second])

    def test_scattered(self) -> None:
        """Where the file system knows the flag T of chattr(1), trees in there are put apart from others."""
        descriptor = os.open(self.make(), os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        try:
            (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, 0x80086601, bytes(8)))
        except OSError as error:
            raise SkipTest("this file system has no such flags") from error
        self.assertTrue(flags & 0x20000, oct(flags))

    def test_not_writable(self) -> None:
        """It says where it wanted to write, and the journal forgets it."""
        self.imgdir.write_text("a file")
        failure = self.failureResultOf(self.made(), BuildFailed)
        self.assertEqual(failure.value.where, str(self.imgdir))
        self.assertEqual(self.journal.known, [])

    def test_what_cannot_be_removed(self) -> None:
        """The error of the run is raised, the journal keeps the directory, and a run that succeeded has succeeded."""
        self.workspaces = Workspaces(self.imgdir, self.journal, busy, ImmediateThreads())

        async def run(error: Exception | None) -> None:
            async with self.workspaces.open("job"):
                if error is not None:
                    raise error

        failed = BuildFailed("the script failed")
        self.assertIs(failed, self.failureResultOf(Deferred.fromCoroutine(run(failed))).value)
        self.successResultOf(Deferred.fromCoroutine(run(None)))
        self.assertEqual(2, len(self.journal.known))
        shutil.rmtree(self.imgdir)
        self.imgdir.write_text("a file")
        self.assertIn("imgdir", self.failureResultOf(self.made(), BuildFailed).value.hint)

    def test_not_scattered(self) -> None:
        """A workspace for which the flag cannot be set (no descriptor is free) is a workspace all the same."""

        def refuse(*_args: object, **_kwargs: object) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(os, "open", refuse)
        self.assertTrue(self.make().is_dir())
