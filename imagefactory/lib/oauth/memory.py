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

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError

Seen = tuple[str, int, str]
"""Client, timestamp, nonce."""

LINES = 10_000
"""So many lines are always allowed, beyond that twice as many as there are living nonces."""
MOST_UNWRITTEN = 100_000
"""So many are kept for a file that cannot be written now; older ones are lost to the next process."""


class Memory(Protocol):
    """What is remembered over restarts."""

    def recall(self) -> Iterator[Seen]:
        """Returns all that was recorded and not forgotten since."""
        ...

    async def record(self, seen: Seen, living: Collection[Seen]) -> None:
        """Remember one more; only `living` ones, which it is among, matter any more."""
        ...


class Forgetful:
    """Remembers nothing."""

    def recall(self) -> Iterator[Seen]:
        """See `Memory`."""
        return iter(())

    async def record(self, seen: Seen, living: Collection[Seen]) -> None:
        """See `Memory`."""


class NonceFile:
    """A file with a line for each nonce, written before the request is answered, and anew when most of it is old.

    Requests that come while it is written are written together. A process that is killed loses nothing that it acted
    on. A disk that is full or broken does not keep anybody out: then only what this process has seen is refused, and
    the log says so, once each time. What was seen meanwhile is written when it can be.
    """

    _log = Logger()

    def __init__(self, path: Path, threads: Threads, lines: Collection[str] = ()) -> None:
        self._path = path
        self._threads = threads
        self._read = lines
        self._lines = len(lines)
        self._failed = False
        self._unwritten: deque[Seen] = deque(maxlen=MOST_UNWRITTEN)
        self._living: Collection[Seen] = ()
        self._next: Event[None] = Event()
        self._writing: Task[None] | None = None

    @classmethod
    async def open(cls, path: Path, threads: Threads) -> NonceFile:
        """Read what an earlier process left; a file that cannot be read is as good as none."""
        return cls(path, threads, await threads.run(_lines_of, path))

    def recall(self) -> Iterator[Seen]:
        """A line that was cut off or changed is left out."""
        for line in self._read:
            with suppress(ValueError, TypeError):
                client, timestamp, nonce = json.loads(line)
                yield str(client), int(timestamp), str(nonce)

    async def record(self, seen: Seen, living: Collection[Seen]) -> None:
        """See `Memory`."""
        self._unwritten.append(seen)
        self._living = living
        written = self._next
        if self._writing is None or self._writing.ended.fired:
            self._writing = Task(self._write_batches())
        await written.wait()

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None and (interruption := await self._writing.settled()) is not None:
            raise interruption

    async def _write_batches(self) -> None:
        """One batch after the other, until nothing is waiting to be written."""
        while self._unwritten:
            batch, self._unwritten = tuple(self._unwritten), deque(maxlen=MOST_UNWRITTEN)
            written, self._next = self._next, Event()
            try:
                await self._write(batch)
            except (OSError, FactoryError) as error:
                self._unwritten = deque((*batch, *self._unwritten), maxlen=MOST_UNWRITTEN)
                self._warn(error)
                written.fire(None)
                return
            self._failed = False
            written.fire(None)

    async def _write(self, batch: tuple[Seen, ...]) -> None:
        """Add to the file; after a failure an empty line first, which costs little and ends a line that was cut off."""
        if self._lines >= LINES + 2 * len(self._living):
            living = tuple(self._living)
            await self._threads.run(_replace, self._path, living)
            self._lines = len(living)
            return
        text = ("\n" if self._failed else "") + "".join(map(_line, batch))
        await self._threads.run(_write, self._path, text, os.O_APPEND)
        self._lines += len(batch)

    def _warn(self, error: Exception) -> None:
        if not self._failed:
            self._log.warn(
                "signed requests cannot be remembered for the next start: {path}: {reason}",
                path=str(self._path),
                reason=error.strerror if isinstance(error, OSError) else str(error),
            )
        self._failed = True


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _line(seen: Seen) -> str:
    return json.dumps(seen) + "\n"


def _replace(path: Path, living: tuple[Seen, ...]) -> None:
    unfinished = path.with_suffix(".new")
    try:
        _write(unfinished, "".join(map(_line, living)), os.O_TRUNC)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write(path: Path, text: str, how: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
    data = text.encode()
    try:
        while data:  # the last bytes of a disk are written, only then it says that it is full
            data = data[os.write(file, data) :]
    finally:
        os.close(file)
