"""Ids of events: each is given once, whatever becomes of the process that gave it.

They are reserved in blocks. An event may be sent before it is written, and is lost if the process is killed in between;
its id is not used again, so that a client that reconnects with it misses no later event.
"""

from __future__ import annotations

from twisted.logger import Logger

from imagefactory.jobs.store.interface import JobStore
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError

BLOCK = 1000


class EventIds:
    """The ids of this process, growing."""

    _log = Logger()

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._last = 0
        self._end = 0
        self._spare: tuple[int, int] | None = None
        self._asking = False

    async def open(self) -> int:
        """Begin after all reserved ids; returns the highest id that may have been used."""
        self._last = self._end = await self._store.last_event()
        await self._ask()
        self._switch()
        return self._last

    def take(self) -> int:
        """Returns the next id; while the store fails, a later start may use it again."""
        if self._last >= self._end:
            self._switch()
        self._last += 1
        if self._spare is None and self._end - self._last < BLOCK // 2 and not self._asking:
            Task(self._ask()).ended.wait().addErrback(lambda failure: self._log.failure("event ids", failure))
        return self._last

    async def go_beyond(self, id: int) -> None:
        """Continue above `id`, the id of an event of another process that was sent."""
        if id > self._end:
            self._spare = None
            await self._ask()
            self._switch()

    async def _ask(self) -> None:
        self._asking = True
        try:
            first = await self._store.reserve_events(BLOCK)
            self._spare = first, first + BLOCK
        except FactoryError as error:
            self._log.error("no ids of events can be reserved: {error}", error=error)
        finally:
            self._asking = False

    def _switch(self) -> None:
        if self._spare is not None and self._spare[0] >= self._last:
            self._last, self._end = self._spare
        self._spare = None
