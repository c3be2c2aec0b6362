"""Nonces that outlive the process: a request that was overheard is not good again after a restart.

To refuse what was signed before the start would be simpler, but shuts out clients whose clocks are slow for some
minutes after each restart, and lets in what a client with a fast clock had signed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from twisted.logger import Logger

Seen = tuple[str, int, str]
"""Client, timestamp, nonce."""

#: So many lines are always allowed, beyond that twice as many as there are living nonces.
LINES = 10_000


class Memory(Protocol):
    """What is remembered over restarts."""

    def recall(self) -> Iterator[Seen]:
        """All that was noted and not forgotten since."""
        ...

    def note(self, seen: Seen, living: Collection[Seen]) -> None:
        """Remember one more; only `living` ones, which it is among, matter any more."""
        ...


class Forgetful:
    """Remembers nothing."""

    def recall(self) -> Iterator[Seen]:
        """Nothing."""
        return iter(())

    def note(self, seen: Seen, living: Collection[Seen]) -> None:
        """Forgotten already."""


class NonceFile:
    """A file with a line for each nonce, written before the request is answered, and anew when most of it is old.

    A process that is killed loses nothing. A disk that is full or broken does not keep anybody out: then only what this
    process has seen is refused, and the log says so, once.
    """

    _log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._failed = False

    def recall(self) -> Iterator[Seen]:
        """A line that was cut off or changed is left out."""
        try:
            lines = self._path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return
        self._lines = len(lines)
        for line in lines:
            with suppress(ValueError, TypeError):
                client, timestamp, nonce = json.loads(line)
                yield str(client), int(timestamp), str(nonce)

    def note(self, seen: Seen, living: Collection[Seen]) -> None:
        """See `Memory`."""
        try:
            if self._lines >= LINES + 2 * len(living):
                self._begin_anew(living)
            else:
                _write(self._path, _line(seen), os.O_APPEND)
                self._lines += 1
        except OSError as error:
            if not self._failed:
                self._log.warn(
                    "signed requests cannot be remembered for the next start: {path}: {reason}",
                    path=str(self._path),
                    reason=error.strerror,
                )
            self._failed = True

    def _begin_anew(self, living: Collection[Seen]) -> None:
        unfinished = self._path.with_suffix(".new")
        _write(unfinished, "".join(map(_line, living)), os.O_TRUNC)
        unfinished.replace(self._path)
        self._lines = len(living)


def _line(seen: Seen) -> str:
    return json.dumps(seen) + "\n"


def _write(path: Path, text: str, how: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
