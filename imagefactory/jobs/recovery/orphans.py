"""What becomes of the jobs of processes that are gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from twisted.logger import Logger

from imagefactory.jobs.execution.runner import AGAIN, RETRY, stopped
from imagefactory.jobs.state.job_log import JobLog
from imagefactory.jobs.store.interface import JobStore, Owner, Remembered
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Failed, Failure, Job, Operation, Queued, State, is_final


class OrphanRecovery:
    """Takes over jobs whose process has ended; jobs of living processes are shown and not touched."""

    _log = Logger()

    def __init__(
        self,
        store: JobStore,
        job_log: JobLog,
        clock: Clock,
        alive: Callable[[Owner], bool],
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._forget = forget
        self._job_log = job_log
        self._clock = clock
        self._alive = alive
        self._revision = 0
        self._foreign: list[Remembered] = []

    async def accept(self, *, resume: bool) -> list[Job]:
        """Fill the book from the store; the answer are queued builds to go on with, in their order."""
        self._revision, _ = await self._store.others(0)
        remembered = await self._store.load()
        for one in remembered:
            self._job_log.recall(one.job)
        return await self._inherit(remembered, resume=resume)

    async def look(self) -> list[Job]:
        """What others have done since; the answer are queued builds of those who have gone meanwhile."""
        self._revision, changed = await self._store.others(self._revision)
        for one in changed:
            self._job_log.hear(one.job)
        current = {one.job.id: one for one in (*self._foreign, *changed)}
        return await self._inherit(list(current.values()), resume=True)

    async def _inherit(self, remembered: Sequence[Remembered], *, resume: bool) -> list[Job]:
        live = [one for one in remembered if not is_final(one.job.state)]
        self._foreign = [one for one in live if self._alive(one.owner)]
        orphans = [one for one in live if one not in self._foreign and (resume or not _can_wait(one.job, one.owner))]
        # What the dead wrote last may be later than what we have read: only the claim tells.
        claimed = [(await self._store.claim(one.job.id, one.owner), one.owner) for one in orphans]
        return [job for job, owner in claimed if job is not None and await self._goes_on(job, owner)]

    async def _goes_on(self, job: Job, owner: Owner) -> bool:
        if is_final(job.state):
            self._job_log.hear(job)
        elif not _can_wait(job, owner):
            await self._sweep(job)
            await self._end(job, stopped(job.operation) if owner.daemon else _killed(job.operation))
        goes_on = not is_final(job.state) and _can_wait(job, owner)
        if goes_on:
            await self._job_log.resume(job.id)
        return goes_on

    async def _sweep(self, job: Job) -> None:
        """What the dead left in the warehouse; should that not answer, a retry replaces it."""
        if job.operation is Operation.BUILD:
            try:
                await self._forget(job.id)
            except FactoryError as error:
                self._log.warn("job {id} may have left an ICICLE: {error}", id=job.id, error=str(error))

    async def give_up(self, job: Job, reason: FactoryError) -> None:
        """A queued job that cannot go on after all."""
        await self._end(job, Failed(Failure(str(reason), reason.hint)))

    async def _end(self, job: Job, state: State) -> None:
        await self._job_log.end(replace(job, state=state, activity="", ended=self._clock.seconds()))


def _can_wait(job: Job, owner: Owner) -> bool:
    return owner.daemon and job.operation is Operation.BUILD and isinstance(job.state, Queued)


def _killed(operation: Operation) -> Failed:
    return Failed(Failure("the command was killed", hint=RETRY if operation is Operation.BUILD else AGAIN))
