"""A directory for each run of a job, removed when the run is over."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from imagefactory.lib.concurrency.cleanup import clean_up, cleaned_up
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed, FactoryError, NoSpace
from imagefactory.lib.files.space import is_full

_GET_FLAGS, _SET_FLAGS, _TOP = 0x80086601, 0x40086602, 0x00020000
"""FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and FS_TOPDIR_FL of linux/fs.h."""

Remove = Callable[[Path], Awaitable[None]]
"""Removes a tree, also of files of other users."""


class DirectoryJournal(Protocol):
    """Records directories, so that the next start removes what a killed process left."""

    async def add_workspace(self, path: Path) -> None:
        """Record it before it is made."""

    async def drop_workspace(self, path: Path) -> None:
        """Forget it after it is removed."""


class Workspaces:
    """Makes workspaces below `imgdir`."""

    def __init__(self, imgdir: Path, journal: DirectoryJournal, remove: Remove, threads: Threads) -> None:
        self._imgdir = imgdir
        self._journal = journal
        self._remove = remove
        self._threads = threads

    def below(self, directory: Path) -> Workspaces:
        """Returns workspaces like these in another directory."""
        return Workspaces(directory, self._journal, self._remove, self._threads)

    @asynccontextmanager
    async def open(self, id: str) -> AsyncIterator[Path]:
        """An empty directory for one run of job `id`, removed after the block.

        What cannot be removed is logged, and stays in the journal for the next start.

        Raises:
            BuildFailed: imgdir is not writable.
            NoSpace: it is full.
        """
        directory = await self.make(id)
        async with cleaned_up(lambda: self.remove(directory)):
            yield directory

    async def make(self, id: str) -> Path:
        """As `open`, for a caller that calls `remove`."""
        directory = self._imgdir / f"imagefactory-{id}-{uuid4().hex[:8]}"
        await self._journal.add_workspace(directory)
        try:
            await self._threads.run(_make, directory)
        except BaseException:
            await clean_up(self.remove(directory))
            raise
        return directory

    async def remove(self, directory: Path) -> None:
        """Remove a workspace with everything in it."""
        await self._remove(directory)
        await self._journal.drop_workspace(directory)


def _make(directory: Path) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o755)
    except OSError as error:
        raise _in_words(error, directory.parent) from error
    _scatter(directory)


def _scatter(directory: Path) -> None:
    """Let the file system place each tree in here elsewhere, not where one was removed a moment ago.

    ext4 takes no inode again within minutes, yet looks at each before it finds a free one: a tree of ten thousand
    files beside the place of the last one takes seven times as long (measured). The flag is `T` of chattr(1); file
    systems without it have no such trouble.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("l", 0)))
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags | _TOP))
    except OSError:
        return
    finally:
        os.close(descriptor)


def _in_words(error: OSError, imgdir: Path) -> FactoryError:
    if is_full(error):
        return NoSpace("no space is left for building", where=str(imgdir), hint="make room, or set another imgdir")
    hint = "make it writable for this user, or set imgdir to a directory that is"
    return BuildFailed(f"nothing can be built there: {error.strerror}", where=str(imgdir), hint=hint)
