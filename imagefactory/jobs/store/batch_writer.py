"""Writes to the job store in batches, a moment later, so that a chatty build costs few transactions."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store.interface import Batch, JobStore
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Job

DELAY = 0.25
"""Seconds that something may wait for the store."""
WAITING = 20_000
"""Lines and events that wait while the store does not take any; older ones are lost then, which the log says."""


class BatchWriter:
    """Collects what has happened and is not in the store yet.

    A store that fails is tried again with the next batch; the jobs go on meanwhile. What it refuses is given up: `held`
    has the attempts of this node's jobs, and those that were lost to another node are removed from it. After `close`
    nothing is collected or written.
    """

    _log = Logger()

    def __init__(self, store: JobStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._lines: deque[LogLine] = deque()
        self._lost: dict[str, tuple[int, LogLine]] = {}
        self._events: deque[JobEvent] = deque(maxlen=WAITING)
        self._soon: IDelayedCall | None = None
        self.held: dict[str, int] = {}
        self._one = DeferredLock()
        self._closed = False

    def job(self, job: Job) -> None:
        """Remember this state of the job."""
        if not self._closed:
            self._jobs[job.id] = job
            self._wake()

    def line(self, line: LogLine) -> None:
        """Remember a log line."""
        if not self._closed:
            self._lines.append(line)
            self._drop_lines()
            self._wake()

    def event(self, event: JobEvent) -> None:
        """Remember an event."""
        if not self._closed:
            self._events.append(event)
            self._wake()

    async def flush(self) -> None:
        """Offer everything so far to the store."""
        async with self._one:
            if self._closed:  # perhaps while this one waited for its turn
                return
            lost = dict(self._lost)
            lines = [*(_note(*one) for one in lost.values()), *self._lines]
            batch = Batch(list(self._jobs.values()), lines, list(self._events))
            self._clear()
            if batch.jobs or batch.lines or batch.events:
                await self._write(batch, lost)

    def close(self) -> None:
        """Drop what is pending, and what comes later: the store will be closed."""
        self._closed = True
        self._clear()

    def _stop_timer(self) -> None:
        if self._soon is not None and self._soon.active():
            self._soon.cancel()
        self._soon = None

    def _clear(self) -> None:
        self._jobs.clear()
        self._lines.clear()
        self._lost.clear()
        self._events.clear()
        self._stop_timer()

    async def _write(self, batch: Batch, lost: dict[str, tuple[int, LogLine]]) -> None:
        done = False
        try:
            for id in await self._store.write(batch, self.held):
                self.held.pop(id, None)
                self._log.warn("job {id} has been given to another process", id=id)
            done = True
        except FactoryError as error:
            self._log.error("the job store took nothing: {error}", error=error)
        finally:
            if not done:  # a cancelled write may have happened; to write the same again is harmless
                self._put_back(batch, lost)

    def _put_back(self, batch: Batch, lost: dict[str, tuple[int, LogLine]]) -> None:
        self._jobs = {job.id: job for job in batch.jobs} | self._jobs
        for job, (count, line) in lost.items():
            later, last = self._lost.get(job, (0, line))
            self._lost[job] = count + later, last
        self._lines = deque([*batch.lines[len(lost) :], *self._lines])
        self._drop_lines()
        self._events = deque([*batch.events, *self._events], WAITING)
        self._wake()

    def _drop_lines(self) -> None:
        while len(self._lines) > WAITING:
            line = self._lines.popleft()
            count, _ = self._lost.get(line.job, (0, line))
            self._lost[line.job] = count + 1, line

    def _wake(self) -> None:
        if self._soon is None and not self._closed:  # a batch that fails after the close is not tried again
            self._soon = self._clock.callLater(DELAY, self._due)

    def _due(self) -> None:
        self._soon = None
        Deferred.fromCoroutine(self.flush()).addErrback(lambda failure: self._log.failure("flushing", failure))


def _note(count: int, last: LogLine) -> LogLine:
    """Returns the line that replaces `count` lost ones, of which `last` was the last."""
    return replace(last, text=f"[{count} lines are missing here: the job store did not take them in time]")
