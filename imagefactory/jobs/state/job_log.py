"""The one place where a job changes: book, listeners and store all learn of it here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from imagefactory.jobs.interface import JobEvent, LogLine, Unsubscribe
from imagefactory.jobs.state.event_ids import EventIds
from imagefactory.jobs.state.index import JobIndex
from imagefactory.jobs.state.listeners import Listeners
from imagefactory.jobs.store.batch_writer import BatchWriter
from imagefactory.jobs.store.interface import Beat, GroupState, JobStore, LogExtent, NewJobs, TakenJob
from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.errors import Conflict
from imagefactory.model.jobs import Job, Queued, is_final
from imagefactory.model.report import StageOutcome

#: Listeners hear of mere progress at most this often, in seconds.
PACE = 0.2


@dataclass(slots=True)
class _Saying:
    """An event in its order; one that is not `due` yet holds up those behind it."""

    event: JobEvent
    due: bool


class JobLog:
    """Jobs with their events and logs.

    A final job changes no more, whatever late word comes in; only `reopen` (a retry) begins it anew.
    """

    def __init__(self, store: JobStore, clock: IReactorTime) -> None:
        self.book = JobIndex()
        self._store = store
        self._clock = clock
        self._writer = BatchWriter(store, clock)
        self._event = 0
        self._ids = EventIds(store)
        self._ending: set[str] = set()
        self._sayings: deque[_Saying] = deque()
        self._logs: dict[str, LogExtent] = {}
        self._events = Listeners[JobEvent]()
        self._lines: dict[str, Listeners[LogLine]] = {}
        self._quiet: dict[str, IDelayedCall] = {}
        self._ends: dict[str, Event[Job]] = {}

    async def open(self) -> None:
        """Go on counting events where the store stands."""
        self._event = await self._ids.open()

    async def create(self, jobs: Sequence[Job], requests: Mapping[str, str]) -> None:
        """New jobs, in the store before anybody hears of them.

        Raises what the store raises; then there are none.
        """
        await self._store.create(NewJobs(jobs, requests))
        for job in jobs:
            self._writer.held[job.id] = 1
            self.book.enter(job)
            self._tell(job, "job")

    def change(self, job: Job) -> None:
        """A new state that is not the last one: told at once."""
        if self._enter(job):
            self._still(job.id)
            self._tell(job, "job")

    async def end(self, job: Job) -> None:
        """A final state: in the store before anybody sees it, because what was COMPLETED shall not run again.

        A store that takes nothing holds up nobody: then it is shown all the same, and written when that is possible.
        """
        if not self._may_change(job.id):
            return
        self._still(job.id)
        self._ending.add(job.id)
        saying = self._say(job, "job", due=False)
        self._writer.job(job)
        try:
            await self._writer.flush()
        finally:
            self._ending.discard(job.id)
            if job.id in self._writer.held:
                self.book.enter(job)
                saying.due = True
                self._settle(job)
            else:  # another process has it: its state counts
                self._sayings.remove(saying)
            self._speak()

    def progress(self, job: Job) -> None:
        """Percent or activity: told at most every `PACE` seconds, the last word always."""
        if self._enter(job) and job.id not in self._quiet:
            self._tell(job, "job")
            self._quiet[job.id] = self._clock.callLater(PACE, self._catch_up, job)

    def stage(self, id: str, outcome: StageOutcome) -> None:
        """A stage was answered from the cache or has to be made, or is done."""
        job = self.book.find(id)
        if job is not None and self._enter(changed := job.with_stage(outcome)):
            self._tell(changed, "stage")

    def line(self, id: str, text: str) -> None:
        """A line for the job's log; what a tool still says after the job has ended is dropped."""
        if id not in self.book or not self._may_change(id):
            return
        extent = self._logs[id] = self.extent(id).with_line(text)
        line = LogLine(id, extent.lines, self._clock.seconds(), text)
        self._writer.line(line)
        if id in self._lines:
            self._lines[id].tell(line)

    def extent(self, id: str) -> LogExtent:
        """How much the log of a job that has not ended has."""
        return self._logs.get(id, LogExtent())

    def recall(self, job: Job) -> None:
        """A job that the store knows from before."""
        self.book.enter(job)

    async def resume(self, taken: TakenJob) -> None:
        """A job that the store knows goes on here, and so does its log."""
        self._logs[taken.job.id] = await self._store.extent(taken.job.id)
        self.book.enter(taken.job)
        self._writer.held[taken.job.id] = taken.attempt

    async def beat(self, ids: Iterable[str]) -> Beat:
        """Renew the lease of jobs that run here; see `JobStore.beat`."""
        return await self._store.beat({id: self._writer.held.get(id, 0) for id in ids})

    async def request_cancel(self, id: str) -> None:
        """Ask the process that has the job to end it."""
        await self._store.request_cancel(id)

    async def settle(self, id: str, *, completed: bool) -> GroupState | None:
        """The job is about to end; see `JobStore.settle`."""
        return await self._store.settle(id, self._writer.held.get(id, 0), completed=completed)

    def hear(self, job: Job) -> None:
        """Another process has changed its job: told to listeners, written by that process."""
        self.book.enter(job)
        self._event = self._ids.take()
        self._sayings.append(_Saying(JobEvent(self._event, self._clock.seconds(), job), due=True))
        self._speak()
        self._settle(job)

    async def reopen(self, id: str) -> Job:
        """Begin a final job anew; its log goes on.

        Raises Conflict if somebody else was quicker.
        """
        await self.flush()
        extent = await self._store.extent(id)
        job = self.book.job(id)
        if not is_final(job.state):
            raise Conflict(f"job {id} runs again already")
        fresh = replace(job, state=Queued(), percent=0, activity="", stages=(), started=None, ended=None)
        self.book.enter(fresh)  # before the next await: of two that ask, one gets it
        try:
            self._writer.held[id] = await self._store.reopen(fresh)
        except BaseException:
            self.book.enter(job)
            raise
        self._logs[id] = extent
        self._tell(fresh, "job")
        return fresh

    async def finished(self, id: str) -> Job:
        """Fires with the final state; cancelling one who waits disturbs nobody."""
        job = self.book.job(id)
        if is_final(job.state):
            return job
        return await self._ends.setdefault(id, Event()).wait()

    async def flush(self) -> None:
        """What happened so far is in the store."""
        await self._writer.flush()

    def close(self) -> None:
        """Nothing more is told later."""
        for id in tuple(self._quiet):
            self._still(id)
        self._writer.close()

    async def log(self, id: str, after: int, limit: int) -> list[LogLine]:
        """The log, up to this moment."""
        self.book.job(id)
        await self.flush()
        return await self._store.log(id, after=after, limit=limit)

    async def events(self, after: int, id: str | None, limit: int) -> list[JobEvent]:
        """Events, up to this moment."""
        await self.flush()
        found = await self._store.events(after=after, id=id, limit=limit)
        if found:
            await self._ids.go_beyond(found[-1].id)
        return found

    async def forget(self, ids: Iterable[str]) -> None:
        """Remove final jobs, with logs and events."""
        gone = tuple(ids)
        await self._store.forget(gone)
        for id in gone:
            self.book.forget(id)
            self._logs.pop(id, None)
            self._writer.held.pop(id, None)

    def last_event(self) -> int:
        """See `Jobs.last_event`."""
        return self._event

    def on_event(self, listener: Callable[[JobEvent], None]) -> Unsubscribe:
        """See `Jobs.on_event`."""
        return self._events.join(listener)

    def on_line(self, id: str, listener: Callable[[LogLine], None]) -> Unsubscribe:
        """See `Jobs.on_line`."""
        self.book.job(id)
        leave = self._lines.setdefault(id, Listeners()).join(listener)

        def unsubscribe() -> None:
            leave()
            if not self._lines.get(id):
                self._lines.pop(id, None)

        return unsubscribe

    def _may_change(self, id: str) -> bool:
        known = self.book.find(id)
        return id not in self._ending and (known is None or not is_final(known.state))

    def _enter(self, job: Job) -> bool:
        if not self._may_change(job.id):
            return False
        self.book.enter(job)
        self._writer.job(job)
        return True

    def _still(self, id: str) -> None:
        later = self._quiet.pop(id, None)
        if later is not None:
            later.cancel()

    def _catch_up(self, told: Job) -> None:
        del self._quiet[told.id]
        job = self.book.find(told.id)
        if job is not None and (job.percent, job.activity) != (told.percent, told.activity):
            self._tell(job, "job")

    def _tell(self, job: Job, kind: str) -> None:
        self._say(job, kind, due=True)
        self._speak()

    def _say(self, job: Job, kind: str, *, due: bool) -> _Saying:
        self._event = self._ids.take()
        saying = _Saying(JobEvent(self._event, self._clock.seconds(), job, kind), due)
        self._writer.event(saying.event)
        self._sayings.append(saying)
        return saying

    def _speak(self) -> None:
        """Events are heard in the order of their ids: who comes back asks for what is above the last id."""
        while self._sayings and self._sayings[0].due:
            self._events.tell(self._sayings.popleft().event)

    def _settle(self, job: Job) -> None:
        if is_final(job.state):
            self._logs.pop(job.id, None)
            if (end := self._ends.pop(job.id, None)) is not None:
                end.fire(job)
