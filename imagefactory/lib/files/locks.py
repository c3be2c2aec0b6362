"""Locks between processes, which end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """flock(2) on `path`: one exclusive owner, or many shared ones.

    The kernel ends the lock with the process that holds it, however that ends. Two locks on one path exclude each other
    within a process, too. No call waits for a lock; all touch the disk, so they belong into a thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    @property
    def held(self) -> bool:
        """Whether this is an owner of the lock."""
        return self._descriptor >= 0

    def take(self, *, shared: bool = False, create: bool = False, mode: int = 0o600) -> bool:
        """Returns whether the lock could be had; without `create`, no file is no lock. A new file has `mode`."""
        flags = (os.O_RDWR | os.O_CREAT) if create else os.O_RDONLY if shared else os.O_RDWR
        while True:
            try:
                descriptor = os.open(self.path, flags | os.O_CLOEXEC, mode)
            except FileNotFoundError:
                if create:
                    raise
                return False
            if not _locked(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
                os.close(descriptor)
                return False
            if _is_at(descriptor, self.path):
                self._descriptor = descriptor
                return True
            os.close(descriptor)  # between open and flock its last owner removed or moved the file

    def read(self) -> bytes:
        """Returns the content of the locked file."""
        return os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)

    def write(self, data: bytes) -> None:
        """Make `data` the content of the locked file; for an exclusive owner."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, data, 0)

    def move(self, path: Path) -> None:
        """Give the locked file another name, in one step, in the place of any file that has it."""
        self.path.replace(path)
        self.path = path

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back; with `remove` (for an exclusive owner) remove the file. A second call does nothing."""
        if self._descriptor < 0:
            return
        try:
            if remove and _is_at(self._descriptor, self.path):
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)
            self._descriptor = -1


def _locked(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file still is what `path` names."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
