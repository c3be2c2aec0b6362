"""The log lines of jobs: their numbers, how much there is, and who listens."""

from __future__ import annotations

from collections.abc import Callable

from imagefactory.jobs.interface import LogLine, Unsubscribe
from imagefactory.jobs.state.events import Listeners
from imagefactory.jobs.store.batch_writer import BatchWriter
from imagefactory.jobs.store.interface import JobStore, LogExtent
from imagefactory.lib.concurrency.clock import Clock


class LogLines:
    """Appends, reads and announces lines; the caller checks whether the job may still have any."""

    def __init__(self, store: JobStore, writer: BatchWriter, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._extents: dict[str, LogExtent] = {}
        self._listeners: dict[str, Listeners[LogLine]] = {}

    def append(self, id: str, text: str) -> None:
        """Number the line, write it and notify the listeners of the job."""
        extent = self._extents[id] = self.extent(id).with_line(text)
        line = LogLine(id, extent.lines, self._clock.seconds(), text)
        self._writer.line(line)
        if id in self._listeners:
            self._listeners[id].notify(line)

    def extent(self, id: str) -> LogExtent:
        """Returns how much the log of a job that has not ended has."""
        return self._extents.get(id, LogExtent())

    def resume(self, id: str, extent: LogExtent) -> None:
        """Go on behind `extent`, which the store has of the job's log."""
        self._extents[id] = extent

    def forget(self, id: str) -> None:
        """Count no longer: the job has ended or is removed."""
        self._extents.pop(id, None)

    async def read(self, id: str, after: int, limit: int) -> list[LogLine]:
        """Returns at most `limit` lines with a number above `after`, up to this moment."""
        await self._writer.flush()
        return await self._store.log(id, after=after, limit=limit)

    def subscribe(self, id: str, listener: Callable[[LogLine], None]) -> Unsubscribe:
        """Call `listener` for each new line, until the returned function is called."""
        remove = self._listeners.setdefault(id, Listeners()).add(listener)

        def unsubscribe() -> None:
            remove()
            if not self._listeners.get(id):
                self._listeners.pop(id, None)

        return unsubscribe
