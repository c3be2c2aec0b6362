"""The one place where a job changes: index, listeners and store all learn of it here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from twisted.internet.interfaces import IDelayedCall

from imagefactory.jobs.interface import JobEvent, LogLine, Unsubscribe
from imagefactory.jobs.state.events import EventPublisher
from imagefactory.jobs.state.index import JobIndex
from imagefactory.jobs.state.log_lines import LogLines
from imagefactory.jobs.state.transitions import Transition, allowed, ending
from imagefactory.jobs.store.batch_writer import BatchWriter
from imagefactory.jobs.store.interface import Beat, GroupState, JobStore, LogExtent, NewJobs, TakenJob
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.errors import Conflict
from imagefactory.model.jobs import Job, Queued, is_final
from imagefactory.model.report import StageOutcome

PACE = 0.2
"""Seconds: listeners are told of mere progress at most this often."""


class JobLog:
    """Jobs with their events and logs.

    What `transitions` does not allow is ignored: progress of a job that has ended comes late.
    """

    def __init__(self, store: JobStore, clock: Clock) -> None:
        self.index = JobIndex()
        self._store = store
        self._clock = clock
        self._writer = BatchWriter(store, clock)
        self._events = EventPublisher(store, self._writer, clock)
        self._ending: set[str] = set()
        self._lines = LogLines(store, self._writer, clock)
        self._throttled: dict[str, IDelayedCall] = {}
        self._ends: dict[str, Event[Job]] = {}

    async def open(self) -> None:
        """Go on counting events where the store stands."""
        await self._events.open()

    async def create(self, jobs: Sequence[Job], requests: Mapping[str, str]) -> None:
        """Store new jobs before they can be seen.

        Raises what the store raises; then there are none.
        """
        await self._store.create(NewJobs(jobs, requests))
        for job in jobs:
            self._writer.held[job.id] = 1
            self.index.enter(job)
            self._events.publish(job, "job")

    def begin(self, job: Job) -> None:
        """Show that the job is at work, at once."""
        if self._enter(job, Transition.BEGIN):
            self._stop_throttle(job.id)
            self._events.publish(job, "job")

    async def end(self, job: Job) -> None:
        """Store the final state before it can be seen, because what was COMPLETED must not run again.

        A store that takes nothing delays no other job: then it is shown all the same, and written when that is
        possible.
        """
        if not self._may(job.id, ending(job.state)):
            return
        self._stop_throttle(job.id)
        self._ending.add(job.id)
        pending = self._events.announce(job, "job")
        self._writer.job(job)
        try:
            await self._writer.flush()
        finally:
            self._ending.discard(job.id)
            if job.id in self._writer.held:
                self.index.enter(job)
                pending.due = True
                self._fire_end(job)
            else:  # another process has it: its state counts
                self._events.withdraw(pending)
            self._events.release()

    def progress(self, job: Job) -> None:
        """Show percent and activity, at most every `PACE` seconds; the last value is always shown."""
        if self._enter(job, Transition.PROGRESS) and job.id not in self._throttled:
            self._events.publish(job, "job")
            self._throttled[job.id] = self._clock.callLater(PACE, self._catch_up, job)

    def stage(self, id: str, outcome: StageOutcome) -> None:
        """Show that a stage was found in the cache or has to be made, or is done."""
        job = self.index.find(id)
        if job is not None and self._enter(changed := job.with_stage(outcome), Transition.PROGRESS):
            self._events.publish(changed, "stage")

    def line(self, id: str, text: str) -> None:
        """Append a line to the job's log."""
        if id in self.index and self._may(id, Transition.PROGRESS):
            self._lines.append(id, text)

    def extent(self, id: str) -> LogExtent:
        """Returns how much the log of a job that has not ended has."""
        return self._lines.extent(id)

    def recall(self, job: Job) -> None:
        """Enter a job that the store knows from before."""
        self.index.enter(job)

    async def resume(self, taken: TakenJob) -> None:
        """Go on here with a job that the store knows, and with its log."""
        self._lines.resume(taken.job.id, await self._store.extent(taken.job.id))
        self.index.enter(taken.job)
        self._writer.held[taken.job.id] = taken.attempt

    async def beat(self, ids: Iterable[str]) -> Beat:
        """Renew the lease of jobs that run here; see `JobStore.beat`."""
        return await self._store.beat({id: self._writer.held.get(id, 0) for id in ids})

    async def request_cancel(self, id: str) -> None:
        """Ask the process that has the job to end it."""
        await self._store.request_cancel(id)

    async def settle(self, id: str, *, completed: bool) -> GroupState | None:
        """Note that the job is about to end; see `JobStore.settle`."""
        return await self._store.settle(id, self._writer.held.get(id, 0), completed=completed)

    def apply_remote(self, job: Job) -> None:
        """Show a job that another process has changed, and written."""
        self.index.enter(job)
        self._events.relay(job)
        self._fire_end(job)

    async def reopen(self, id: str) -> Job:
        """Begin a failed job anew; its log goes on.

        Raises Conflict if another request, here or in another process, was first.
        """
        await self.flush()
        extent = await self._store.extent(id)
        job = self.index.job(id)
        if not allowed(job.state, Transition.REOPEN):
            raise Conflict(f"job {id} is {job.state.wire}; only a FAILED one can run again")
        fresh = replace(job, state=Queued(), percent=0, activity="", stages=(), started=None, ended=None)
        self.index.enter(fresh)  # before the next await: of two requests, one gets it
        try:
            self._writer.held[id] = await self._store.reopen(fresh)
        except BaseException:
            self.index.enter(job)
            raise
        self._lines.resume(id, extent)
        self._events.publish(fresh, "job")
        return fresh

    async def finished(self, id: str) -> Job:
        """Wait for the final state and return it; cancelling a waiter disturbs no other."""
        job = self.index.job(id)
        if is_final(job.state):
            return job
        return await self._ends.setdefault(id, Event()).wait()

    async def flush(self) -> None:
        """Write pending changes."""
        await self._writer.flush()

    async def close(self) -> None:
        """Write pending changes; later ones are not written, and delayed notifications are dropped."""
        await self._events.close()
        await self._writer.flush()
        self.abandon()

    def abandon(self) -> None:
        """Write nothing more, also not what is pending."""
        for id in tuple(self._throttled):
            self._stop_throttle(id)
        self._writer.close()

    async def log(self, id: str, after: int, limit: int) -> list[LogLine]:
        """Returns lines of the log, up to this moment."""
        self.index.job(id)
        return await self._lines.read(id, after, limit)

    async def events(self, after: int, id: str | None, limit: int) -> list[JobEvent]:
        """Returns events, up to this moment."""
        await self.flush()
        found = await self._store.events(after=after, id=id, limit=limit)
        if found:
            await self._events.go_beyond(found[-1].id)
        return found

    async def forget(self, ids: Iterable[str]) -> None:
        """Remove final jobs, with logs and events."""
        gone = tuple(ids)
        await self._store.forget(gone)
        for id in gone:
            self.index.forget(id)
            self._lines.forget(id)
            self._writer.held.pop(id, None)

    def last_event(self) -> int:
        """See `Jobs.last_event`."""
        return self._events.last

    def on_event(self, listener: Callable[[JobEvent], None]) -> Unsubscribe:
        """See `Jobs.on_event`."""
        return self._events.subscribe(listener)

    def on_line(self, id: str, listener: Callable[[LogLine], None]) -> Unsubscribe:
        """See `Jobs.on_line`."""
        self.index.job(id)
        return self._lines.subscribe(id, listener)

    def _may(self, id: str, transition: Transition) -> bool:
        known = self.index.find(id)
        return id not in self._ending and (known is None or allowed(known.state, transition))

    def _enter(self, job: Job, transition: Transition) -> bool:
        if not self._may(job.id, transition):
            return False
        self.index.enter(job)
        self._writer.job(job)
        return True

    def _stop_throttle(self, id: str) -> None:
        later = self._throttled.pop(id, None)
        if later is not None:
            later.cancel()

    def _catch_up(self, shown: Job) -> None:
        del self._throttled[shown.id]
        job = self.index.find(shown.id)
        if job is not None and (job.percent, job.activity) != (shown.percent, shown.activity):
            self._events.publish(job, "job")

    def _fire_end(self, job: Job) -> None:
        if is_final(job.state):
            self._lines.forget(job.id)
            if (end := self._ends.pop(job.id, None)) is not None:
                end.fire(job)
