"""The pid file: one line with one number, for scripts; a lock on it tells whether that process still runs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.lib.files.locks import FileLock


class PidFile:
    """Names the running daemon.

    A pid alone would be taken for ours when another process has got it. The lock (flock(2)) ends with the process that
    wrote the file, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: FileLock | None = None

    def check(self) -> None:
        """Raises Conflict if another process that still runs wrote the file; a stale one is no obstacle."""
        if self._lock is None and self._is_locked():
            holder = self.path.read_text().strip()
            raise Conflict(
                f"a daemon with pid {holder} is running",
                where=str(self.path),
                hint="stop it first, or name another file with --pid_file",
            )

    def write(self) -> None:
        """Name this process, in one step.

        Raises FactoryError.
        """
        lock = FileLock(self.path.with_name(f".{self.path.name}.{os.getpid()}"))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.take(create=True, mode=0o644)
            lock.write(f"{os.getpid()}\n".encode())
            lock.move(self.path)
        except OSError as error:
            lock.release(remove=True)
            raise FactoryError(
                f"cannot write the pid file: {error.strerror}",
                where=str(self.path),
                hint="name a writable file with --pid_file",
            ) from None
        self._lock = lock

    def remove(self) -> None:
        """Remove it if this process wrote it and no other one since."""
        if self._lock is not None:
            with suppress(OSError):
                self._lock.release(remove=True)
            self._lock = None

    def _is_locked(self) -> bool:
        lock = FileLock(self.path)
        try:
            if lock.take(shared=True):
                lock.release()
                return False
        except OSError:  # it is no file, or may not be read
            return False
        return self.path.exists()
