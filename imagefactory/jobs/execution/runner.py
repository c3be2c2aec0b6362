"""Runs jobs: each waits for its turn, works, ends in exactly one final state, and can be ended once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.jobs.execution.reporter import LogBounds, Reporter
from imagefactory.jobs.state.job_log import JobLog
from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError, TimedOut
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation, Running, State
from imagefactory.model.report import report_to

Work = Callable[[Reporter], Awaitable[Completed]]
Settle = Callable[[Job, State], Awaitable[None]]
"""What has to be done before a job's final state is shown; what it raises becomes the state of a completed job."""

HINTS = {
    Operation.BUILD: "retry it: it goes on after its last finished stage",
    Operation.PUSH: "retry it, or push again, with the credentials",
    Operation.DELETE: "retry it, or delete again, with the credentials",
}
"""What to do about a job that was interrupted."""
_AT_WORK = {Operation.BUILD: "BUILDING", Operation.PUSH: "PUSHING", Operation.DELETE: "DELETING"}


class _Ending(Enum):
    CANCELLED = auto()
    STOPPED = auto()


@dataclass(slots=True)
class _Run:
    id: str
    queue: Queue
    group: str
    work: Work
    ending: _Ending | None = None
    settling: bool = False
    waiting: bool = True
    given_up: bool = False  # ended without waiting for it any longer: its own end counts no more
    task: Task[None] | None = None

    def end(self, why: _Ending) -> None:
        """Cancel it, unless it is ending already."""
        if self.ending is None and not self.settling and self.task is not None:
            self.ending = why
            self.task.cancel()


def stopped(operation: Operation) -> Failed:
    """The state of a job whose process ended before it did."""
    return Failed(Failure("the daemon was stopped", hint=HINTS[operation]))


class Runner:
    """The jobs that this process runs or has queued."""

    _log = Logger()

    def __init__(
        self, job_log: JobLog, clock: Clock, settle: Settle, incidents: Callable[[], str], log: LogBounds
    ) -> None:
        self._job_log = job_log
        self._clock = clock
        self._settle = settle
        self._incidents = incidents
        self._log_bounds = log
        self._runs: dict[str, _Run] = {}
        self._stopping = False

    def start(self, id: str, queue: Queue, group: str, work: Work) -> None:
        """Queue the job and return. Jobs of one `group` share a place in the queue.

        While everything stops, a job that was just accepted stays queued, for the next start.
        """
        if self._stopping:
            return
        run = self._runs[id] = _Run(id, queue, group, work)
        run.task = Task(self._live(run))
        run.task.ended.wait().addErrback(lambda failure: self._log.failure("job {id} was lost", failure, id=id))

    def position(self, id: str) -> int | None:
        """The place in its queue; None: it does not wait."""
        run = self._runs.get(id)
        return run.queue.position(id) if run else None

    def positions(self) -> dict[str, int]:
        """Returns the places of all that wait, by id."""
        places = ((id, run.queue.position(id)) for id, run in self._runs.items())
        return {id: place for id, place in places if place is not None}

    async def cancel(self, id: str, limit: float) -> Job:
        """End the job and wait for that, at most `limit` seconds.

        A job of another process is ended by that one. Raises TimedOut (it goes on ending).
        """
        if id in self._runs:
            self._cancel(id)
        else:
            await self._job_log.request_cancel(id)
        try:
            return await timeout(self._clock, limit, self._job_log.finished(id))
        except TimeoutError:
            raise TimedOut(f"job {id} was asked to end and has not ended in {limit:g} seconds") from None

    async def beat(self) -> None:
        """Renew the lease of the jobs, and end those that other processes cancelled or have now.

        Raises what the store raises.
        """
        if not self._runs:
            return
        beat = await self._job_log.beat(tuple(self._runs))
        for id in beat.cancelled & self._runs.keys():
            self._cancel(id)
        for id in beat.lost & self._runs.keys():
            self._log.warn("job {id} has been given to another process and ends here", id=id)
            self._runs[id].end(_Ending.STOPPED)

    def _cancel(self, id: str) -> None:
        self._job_log.progress(replace(self._job_log.index.job(id), activity="cancelling"))
        self._runs[id].end(_Ending.CANCELLED)

    async def stop(self, limit: float, *, keep_queued: bool) -> None:
        """End everything, at most `limit` seconds.

        Queued jobs stay queued for the next start with `keep_queued`. What does not end in time is FAILED all the
        same.
        """
        self._stopping = True
        runs = list(self._runs.values())
        for run in sorted(runs, key=lambda run: not run.waiting):  # those that wait first: they would get the places
            run.end(_Ending.STOPPED if keep_queued else _Ending.CANCELLED)
        late = self._clock.seconds() + limit
        for run in runs:
            await self._wait(run, max(0.0, late - self._clock.seconds()))

    async def _wait(self, run: _Run, limit: float) -> None:
        assert run.task is not None
        try:
            await timeout(self._clock, limit, run.task.ended.wait())
        except TimeoutError:
            self._log.error("job {id} did not end in time", id=run.id)
            run.given_up = True
            await self._end(run.id, self._ended(run) or stopped(self._job_log.index.job(run.id).operation))

    async def _live(self, run: _Run) -> None:
        reporter = Reporter(self._job_log, run.id, self._log_bounds)
        try:
            report_to(reporter)
            state = await self._outcome(run, reporter)
            if state is not None and not run.given_up:
                run.settling = True
                await self._end(run.id, await self._settled(run.id, state))
        finally:
            del self._runs[run.id]

    async def _outcome(self, run: _Run, reporter: Reporter) -> State | None:
        try:
            async with run.queue.place(run.id, run.group):
                run.waiting = False
                return await self._worked(run, reporter)
        except CancelledError:  # in the queue
            return self._ended(run)

    async def _worked(self, run: _Run, reporter: Reporter) -> State:
        try:
            self._begin(run.id)
            return await run.work(reporter)
        except (CancelledError, Exception) as error:  # the root of the job: cancellation ends here, too, as a state
            return self._failed(run, error)

    def _begin(self, id: str) -> None:
        job = self._job_log.index.job(id)
        self._job_log.begin(replace(job, state=Running(_AT_WORK[job.operation]), started=self._clock.seconds()))

    async def _settled(self, id: str, state: State) -> State:
        try:
            await self._settle(self._job_log.index.job(id), state)
        except FactoryError as error:
            self._job_log.line(id, str(error))
            return Failed(_failure(error)) if isinstance(state, Completed) else state
        except (CancelledError, Exception):
            return self._unexpected(id)
        return state

    async def _end(self, id: str, state: State) -> None:
        job = self._job_log.index.job(id)
        percent = 100 if isinstance(state, Completed) else job.percent
        await self._job_log.end(replace(job, state=state, percent=percent, activity="", ended=self._clock.seconds()))

    def _ended(self, run: _Run) -> Failed | None:
        """The state of a job that was ended; None: it stays queued."""
        if run.ending is _Ending.STOPPED:
            return None if run.waiting else stopped(self._job_log.index.job(run.id).operation)
        return Failed(Failure("cancelled", cancelled=True))

    def _failed(self, run: _Run, error: Exception) -> Failed:
        if run.ending is not None:
            return self._ended(run) or stopped(self._job_log.index.job(run.id).operation)
        if isinstance(error, FactoryError):
            self._job_log.line(run.id, str(error))
            return Failed(_failure(error))
        return self._unexpected(run.id)

    def _unexpected(self, id: str) -> Failed:
        incident = self._incidents()
        self._log.failure("job {id} failed unexpectedly, incident {incident}", id=id, incident=incident)
        return Failed(Failure("an unexpected error", "report it with the incident of the log", incident))


def _failure(error: FactoryError) -> Failure:
    return Failure(str(error), error.hint, kind=type(error).__name__)
