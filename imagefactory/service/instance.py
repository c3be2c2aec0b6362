"""One daemon per state directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from imagefactory.model.errors import Conflict, FactoryError


class Instance:
    """The claim on a state directory.

    The kernel drops it with the process, however that ends; a fork keeps it.
    """

    def __init__(self, state_dir: Path, name: str = "daemon.lock") -> None:
        self._path = state_dir / name
        self._file: IO[str] | None = None

    def claim(self) -> None:
        """Take it.

        Conflict, with the holder's pid, if another daemon works here; FactoryError if the directory is not usable.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+")
        except OSError as error:
            raise FactoryError(
                f"the state directory cannot be written: {error.strerror}",
                where=str(self._path.parent),
                hint="run as its owner, or name another one with --state_dir",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise Conflict(
                f"another daemon (pid {holder}) works on this state directory",
                where=str(self._path.parent),
                hint="stop it first, or give this one its own --state_dir and --port",
            ) from None
        self._file = file
        self.sign()

    def sign(self) -> None:
        """Write this process's pid into the lock (again after a fork)."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def release(self) -> None:
        """Give the directory free."""
        if self._file is not None:
            self._file.close()
            self._file = None
