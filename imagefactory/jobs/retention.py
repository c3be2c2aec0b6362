"""Forgetting finished jobs after some time."""

from __future__ import annotations

from twisted.logger import Logger

from imagefactory.jobs.state.job_log import JobLog
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.periodic import Periodic
from imagefactory.lib.errors import FactoryError

DAY = 86_400.0
PAUSE = 3600.0
"""Seconds between two looks."""


class Retention:
    """Removes, every hour, the jobs that ended `days` ago (0: keeps all)."""

    _log = Logger()

    def __init__(self, job_log: JobLog, clock: Clock, days: int) -> None:
        self._job_log = job_log
        self._clock = clock
        self._days = days
        self._turns = Periodic("forgetting old jobs", self._look, PAUSE, clock)

    async def start(self) -> None:
        """Forget what is due now, and go on looking."""
        if self._days:
            await self._look()
            self._turns.start()

    async def stop(self) -> None:
        """Stop looking, once the present look has ended."""
        await self._turns.stop()

    async def _look(self) -> None:
        before = self._clock.seconds() - self._days * DAY
        old = self._job_log.index.ended_before(before)
        try:
            if old:
                await self._job_log.forget(old)
                self._log.info("forgot {count} finished jobs", count=len(old))
        except FactoryError as error:
            self._log.error("old jobs could not be forgotten: {error}", error=error)
