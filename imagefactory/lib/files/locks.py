"""Locks between processes that die with their owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLock:
    """flock(2) on `path`: one exclusive owner, or many shared ones.

    The kernel ends the lock with the process that has it, however that ends. Two locks on one path exclude each other
    within a process as well. No call ever waits; all of them touch the disk, so they belong into a thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def take(self, *, shared: bool = False, create: bool = False) -> bool:
        """Whether the lock could be had; without `create`, no file is no lock."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        while True:
            try:
                descriptor = os.open(self.path, flags, 0o600)
            except FileNotFoundError:
                return False
            if not _locked(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
                os.close(descriptor)
                return False
            if _is_at(descriptor, self.path):
                self._descriptor = descriptor
                return True
            os.close(descriptor)  # its last owner removed or moved the file while we waited for nobody

    def read(self) -> bytes:
        """The content of the locked file."""
        return os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)

    def release(self, *, remove: bool = False) -> None:
        """Give the lock back, and with `remove` (by an exclusive owner) the file away; twice is once."""
        if self._descriptor < 0:
            return
        if remove:
            self.path.unlink(missing_ok=True)
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
