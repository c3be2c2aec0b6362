"""What becomes of the jobs of processes that are gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagefactory.concurrency.clock import Clock
from imagefactory.jobs.interface import JobStore, Owner, Remembered
from imagefactory.jobs.ledger import Ledger
from imagefactory.jobs.runner import stopped
from imagefactory.model.jobs import Failed, Failure, Job, Operation, Queued, State, is_final


class Inheritance:
    """Takes over jobs whose process has ended; jobs of living processes are shown and not touched."""

    def __init__(self, store: JobStore, ledger: Ledger, clock: Clock, alive: Callable[[Owner], bool]) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._alive = alive

    async def accept(self, *, resume: bool) -> list[Job]:
        """Fill the book from the store; the answer are queued builds to go on with, in their order."""
        remembered = await self._store.load()
        for one in remembered:
            self._ledger.recall(one.job)
        orphans = [one for one in remembered if not is_final(one.job.state) and not self._alive(one.owner)]
        waiting = [one for one in orphans if _can_wait(one.job)]
        for one in orphans:
            if one not in waiting and await self._store.claim(one.job.id, one.owner):
                self._end(one.job, stopped(one.job.operation))
        if not resume:
            return []
        return [one.job for one in waiting if await self._claimed(one)]

    def give_up(self, job: Job, reason: str) -> None:
        """A queued job that cannot go on after all."""
        self._end(job, Failed(Failure(f"the daemon was stopped; {reason}", hint="ask for it again")))

    async def _claimed(self, one: Remembered) -> bool:
        return await self._store.claim(one.job.id, one.owner)

    def _end(self, job: Job, state: State) -> None:
        self._ledger.change(replace(job, state=state, activity="", ended=self._clock.seconds()))


def _can_wait(job: Job) -> bool:
    return job.operation is Operation.BUILD and isinstance(job.state, Queued)
