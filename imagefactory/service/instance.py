"""One daemon per state directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from imagefactory.lib.errors import Conflict, FactoryError, InvalidInput


class Instance:
    """The claim on a state directory, which `option` names; one that is not there is made with `mode`.

    The kernel drops it with the process, however that ends; a fork keeps it.
    """

    def __init__(
        self, state_dir: Path, name: str = "daemon.lock", *, option: str = "--state_dir", mode: int = 0o777
    ) -> None:
        self._path = state_dir / name
        self._option = option
        self._mode = mode
        self._file: IO[str] | None = None

    def claim(self) -> None:
        """Take it.

        Conflict, with the holder's pid, if another daemon works here; InvalidInput if the directory cannot be made,
        FactoryError if it cannot be written.
        """
        file = self._opened()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise Conflict(
                f"another daemon (pid {holder}) works on this state directory",
                where=str(self._path.parent),
                hint=f"stop it first, or give this one its own {self._option} and --port",
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

    def _opened(self) -> IO[str]:
        directory = self._path.parent
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=self._mode)
        except OSError as error:
            raise InvalidInput(
                f"the state directory cannot be made: {error.strerror}",
                where=str(directory),
                hint=f"name another one with {self._option}",
            ) from None
        try:
            return self._path.open("a+")
        except OSError as error:
            raise FactoryError(
                f"the state directory cannot be written: {error.strerror}",
                where=str(directory),
                hint=f"run as its owner, or name another one with {self._option}",
            ) from None

    def release(self) -> None:
        """Give the directory free."""
        if self._file is not None:
            self._file.close()
            self._file = None
