"""Nonces that outlive the process: a request that was overheard is not good again after a restart.

To refuse what was signed before the start would be simpler, but shuts out clients whose clocks are slow for some
minutes after each restart, and lets in what a client with a fast clock had signed.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from twisted.logger import Logger

Seen = tuple[str, int, str]
"""Client, timestamp, nonce."""

#: So many lines are always allowed, beyond that twice as many as there are living nonces.
LINES = 10_000

#: So many are kept for a file that cannot be written now; older ones are lost to the next process.
MOST_OWED = 100_000


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
    process has seen is refused, and the log says so, once each time. What was seen meanwhile is written when it can be.
    """

    _log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._failed = False
        self._owed: deque[Seen] = deque(maxlen=MOST_OWED)

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
        self._owed.append(seen)
        try:
            self._write(living)
        except OSError as error:
            if not self._failed:
                self._log.warn(
                    "signed requests cannot be remembered for the next start: {path}: {reason}",
                    path=str(self._path),
                    reason=error.strerror,
                )
            self._failed = True
            return
        self._owed.clear()
        self._failed = False

    def _write(self, living: Collection[Seen]) -> None:
        if self._failed:  # costs little while there is no room, and ends a line that was cut off
            _write(self._path, "\n", os.O_APPEND)
        if self._lines >= LINES + 2 * len(living):
            self._begin_anew(living)
        else:
            _write(self._path, "".join(map(_line, self._owed)), os.O_APPEND)
            self._lines += len(self._owed)

    def _begin_anew(self, living: Collection[Seen]) -> None:
        unfinished = self._path.with_suffix(".new")
        try:
            _write(unfinished, "".join(map(_line, living)), os.O_TRUNC)
            unfinished.replace(self._path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._lines = len(living)


def _line(seen: Seen) -> str:
    return json.dumps(seen) + "\n"


def _write(path: Path, text: str, how: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
    data = text.encode()
    try:
        while data:  # the last bytes of a disk are written, only then it says that it is full
            data = data[os.write(file, data) :]
    finally:
        os.close(file)
