"""One daemon per state directory."""

from __future__ import annotations

import os
from pathlib import Path

from imagefactory.lib.errors import Conflict, FactoryError, InvalidInput
from imagefactory.lib.files.locks import FileLock


class Instance:
    """The claim on a state directory.

    The kernel drops it with the process, however that ends; a fork keeps it.

    Args:
        name: of the lock file in there.
        option: names the directory, for error messages.
        mode: of a directory that is not there and is made.
    """

    def __init__(
        self, state_dir: Path, name: str = "daemon.lock", *, option: str = "--state_dir", mode: int = 0o777
    ) -> None:
        self._lock = FileLock(state_dir / name)
        self._directory = state_dir
        self._option = option
        self._mode = mode

    def claim(self) -> None:
        """Take it.

        Raises:
            Conflict: another daemon works here; its pid is in the message.
            InvalidInput: the directory cannot be made.
            FactoryError: it cannot be written.
        """
        self._make_directory()
        try:
            taken = self._lock.take(create=True)
        except OSError as error:
            raise FactoryError(
                f"the state directory cannot be written: {error.strerror}",
                where=str(self._directory),
                hint=f"run as its owner, or name another one with {self._option}",
            ) from None
        if not taken:
            raise Conflict(
                f"another daemon (pid {self._holder()}) works on this state directory",
                where=str(self._directory),
                hint=f"stop it first, or give this one its own {self._option} and --port",
            )
        self.write_pid()

    def write_pid(self) -> None:
        """Write this process's pid into the lock, for `claim` of another one; again after a fork."""
        if self._lock.held:
            self._lock.write(f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others claim the directory."""
        self._lock.release()

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=self._mode)
        except OSError as error:
            raise InvalidInput(
                f"the state directory cannot be made: {error.strerror}",
                where=str(self._directory),
                hint=f"name another one with {self._option}",
            ) from None

    def _holder(self) -> str:
        try:
            return self._lock.path.read_text().strip() or "unknown"
        except OSError:
            return "unknown"
