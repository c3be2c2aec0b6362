"""A body on its way from a connection to the store, with back-pressure.

What arrives is collected while a thread writes what came before; over a limit the connection is paused. So the thread
gets large pieces when the network is fast, and memory stays small when the disk is slow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import CancelledError

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.warehouse.budget import Budget

HIGH = 4 << 20  # bytes of one body that may wait to be written; less if there are many bodies


class Flow(Protocol):
    """A connection that can be told to wait, and that wants to know at once when writing failed."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def failed(self, error: Exception) -> None: ...


class BufferedWriter:
    """Feeds `write` in a thread; `pending` bytes have arrived and are not yet written.

    Once writing has failed it is `broken`: what was written is worth nothing. All uploads with one `budget` share the
    memory that it allows.
    """

    def __init__(
        self, write: Callable[[bytes], None], threads: Threads, flow: Flow, budget: Budget | None = None
    ) -> None:
        self._budget = budget
        if budget is not None:
            budget.join()
        self._write = write
        self._threads = threads
        self._flow = flow
        self._pieces: deque[bytes] = deque()
        self._writing: Task[None] | None = None
        self._over = False
        self.broken = False
        self.pending = 0

    def add(self, data: bytes) -> None:
        """Take what arrived."""
        if self._over:
            return
        self._pieces.append(data)
        self.pending += len(data)
        if self.pending > self._most():
            self._flow.pause()
        if self._writing is None or self._writing.ended.fired:
            self._writing = Task(self._drain())

    def _most(self) -> int:
        return HIGH if self._budget is None else self._budget.share(HIGH)

    def _leave(self) -> None:
        budget, self._budget = self._budget, None
        if budget is not None:
            budget.leave()

    async def _drain(self) -> None:
        try:
            while self._pieces:
                pieces = self._next()
                await self._threads.run(self._write_all, pieces)
                self.pending -= sum(map(len, pieces))
                if self.pending <= self._most() // 2:
                    self._flow.resume()
        except CancelledError:
            self._over = self.broken = True
            raise
        except Exception as error:
            self._over = self.broken = True
            self._flow.failed(error)
            raise

    def _next(self) -> list[bytes]:
        """A quarter of what may wait: more comes while it is written."""
        size, pieces = 0, []
        while self._pieces and size < self._most() // 4:
            pieces.append(self._pieces.popleft())
            size += len(pieces[-1])
        return pieces

    def _write_all(self, pieces: list[bytes]) -> None:
        self._write(b"".join(pieces))

    async def written(self) -> None:
        """Wait until everything that arrived is written, nothing more will come; raises what went wrong."""
        self._leave()
        if self._writing is not None:
            await self._writing

    async def stop(self) -> None:
        """Write nothing more; back when no thread does."""
        self._over = True
        self._pieces.clear()
        await self.settled()

    async def settled(self) -> None:
        """Wait until what arrived is written, or writing has failed; raises nothing of that. Nothing more will come."""
        self._leave()
        if self._writing is not None:
            await self._writing.settled()
