"""What becomes of the jobs of processes that have ended, and following those of processes that live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from twisted.logger import Logger

from imagefactory.jobs.execution.runner import HINTS, Runner, Settle, stopped
from imagefactory.jobs.state.job_log import JobLog
from imagefactory.jobs.store.interface import JobNode, JobStore, TakenJob
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.periodic import Periodic
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Failed, Failure, Job, Operation, State

PAUSE = 2.0
"""Seconds between two turns; a store does not tell when another process writes."""


@dataclass(frozen=True, slots=True)
class RecoverySteps:
    """What recovery has others do.

    Args:
        alive: whether the run of the program with that token lives; blocks.
        forget: removes what a build left in the warehouse.
        settle: called before a job is shown as ended.
        go_on: runs a queued build of a process that has ended.
    """

    alive: Callable[[str], bool]
    forget: Callable[[str], Awaitable[None]]
    settle: Settle
    go_on: Callable[[Job], Awaitable[None]]


class Recovery:
    """Takes over the jobs of nodes that have ended; those of living nodes are shown and not touched.

    With `resume` (the daemon) queued builds go on here, and other nodes are followed until `stop`; without it only the
    own jobs are kept.
    """

    _log = Logger()

    def __init__(
        self,
        store: JobStore,
        job_log: JobLog,
        runner: Runner,
        steps: RecoverySteps,
        *,
        clock: Clock,
        threads: Threads,
    ) -> None:
        self._store = store
        self._job_log = job_log
        self._runner = runner
        self._clock = clock
        self._threads = threads
        self._steps = steps
        self._cursor = ""
        self._resume = False
        self._turns = Periodic("the look at the jobs of other processes", self._turn, PAUSE, clock)

    async def load(self) -> None:
        """Fill the index from the store, and end what cannot go on."""
        self._cursor, jobs = await self._store.load()
        for job in jobs:
            self._job_log.recall(job)
        await self._look()

    async def start(self, *, resume: bool) -> None:
        """Go on with queued builds, and repeat that."""
        self._resume = resume
        if resume:
            await self._take()
        self._turns.start()

    async def stop(self) -> None:
        """Stop looking, once the present look has ended."""
        await self._turns.stop()

    async def give_up(self, job: Job, reason: FactoryError) -> None:
        """End a queued job that cannot go on after all."""
        await self._end(job, Failed(Failure(str(reason), reason.hint)))

    async def _turn(self) -> None:
        await self._runner.beat()
        if self._resume:
            await self._look()
            await self._take()

    async def _look(self) -> None:
        """End what ended nodes left at work, and learn what the living ones have done."""
        for holder in await self._store.holders():
            if not await self._threads.run(self._steps.alive, holder.node.id):
                for left in await self._store.release(holder.node):
                    await self._fail(left, holder.node)
        self._cursor, changed = await self._store.changes(self._cursor)
        for job in changed:
            self._job_log.apply_remote(job)

    async def _take(self) -> None:
        for taken in await self._store.take((), None):
            await self._job_log.resume(taken)
            await self._steps.go_on(taken.job)

    async def _fail(self, left: TakenJob, node: JobNode) -> None:
        job = left.job
        await self._job_log.resume(left)
        if job.operation is Operation.BUILD:
            await self._remove_remains(job)
        state = stopped(job.operation) if node.daemon else _killed(job.operation)
        try:
            await self._steps.settle(job, state)
        except FactoryError as error:
            self._log.error("the pointers of image {id} may be old: {error}", id=job.image_id, error=error)
        await self._end(job, state)

    async def _remove_remains(self, job: Job) -> None:
        """If the warehouse does not answer, a retry replaces what is there."""
        try:
            await self._steps.forget(job.id)
        except FactoryError as error:
            self._log.warn("job {id} may have left an ICICLE: {error}", id=job.id, error=str(error))

    async def _end(self, job: Job, state: State) -> None:
        await self._job_log.end(replace(job, state=state, activity="", ended=self._clock.seconds()))


def _killed(operation: Operation) -> Failed:
    return Failed(Failure("the command was killed", hint=HINTS[operation]))
