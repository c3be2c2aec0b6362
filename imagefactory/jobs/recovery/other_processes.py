"""Following what other processes do with their jobs, in the store that all share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from imagefactory.jobs.recovery.orphans import OrphanRecovery
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Job

#: Seconds between two looks; nobody can be told when another process writes.
PAUSE = 2.0


class RemoteJobs:
    """Looks now and then; `go_on` is called for queued builds whose process has ended."""

    _log = Logger()

    def __init__(self, recovery: OrphanRecovery, clock: Clock, go_on: Callable[[Job], Awaitable[None]]) -> None:
        self._recovery = recovery
        self._clock = clock
        self._go_on = go_on
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Look from now on."""
        self._next = self._clock.callLater(PAUSE, self._due)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    def _due(self) -> None:
        looking = Deferred.fromCoroutine(self._look())
        looking.addErrback(lambda failure: self._log.failure("looking at other processes' jobs", failure))

    async def _look(self) -> None:
        try:
            for job in await self._recovery.look():
                await self._go_on(job)
        except FactoryError as error:
            self._log.error("the jobs of other processes are not known: {error}", error=error)
        finally:
            if self._next is not None:
                self.start()
