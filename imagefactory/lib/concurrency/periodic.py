"""Work that is repeated as long as its owner lives."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError


class Periodic:
    """Calls `work` again and again between `start()` and `stop()`, never twice at a time.

    A failing turn is logged, and the next one comes as usual.

    Args:
        name: what the work is, for the log ("the look for old jobs").
        work: one turn.
        seconds: from the end of one turn to the beginning of the next.
        jitter: the share of `seconds` (0 to 1) by which a pause may be shorter, so that processes that were started
            together do not all work at the same moment.
        random_number: returns numbers from 0 to 1.
    """

    _log = Logger()

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        seconds: float,
        clock: Clock,
        *,
        jitter: float = 0.0,
        random_number: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._work = work
        self._seconds = seconds
        self._clock = clock
        self._jitter = jitter
        self._random = random_number
        self._started = False
        self._next: IDelayedCall | None = None
        self._turn: Task[None] | None = None

    def start(self, *, now: bool = False) -> None:
        """Begin; the first turn comes after a pause, or at once if `now`. A second call does nothing."""
        if self._started:
            return
        self._started = True
        if now:
            self._begin()
        else:
            self._schedule()

    async def stop(self) -> None:
        """Schedule no more turns, and wait for the end of the one that is running, which is not interrupted."""
        self._started = False
        if self._next is not None:
            self._next.cancel()
            self._next = None
        interruption = await self._turn.settled() if self._turn is not None else None
        if interruption is not None:
            raise interruption

    def _schedule(self) -> None:
        pause = self._seconds * (1 - self._jitter * self._random())
        self._next = self._clock.callLater(pause, self._begin)

    def _begin(self) -> None:
        self._next = None
        if self._turn is None or self._turn.ended.fired:  # else the turn from before a restart schedules the next
            self._turn = Task(self._once())

    async def _once(self) -> None:
        try:
            await self._work()
        except CancelledError:
            raise
        except FactoryError as error:
            self._log.error("{name} failed and is repeated later: {error}", name=self._name, error=error)
        except Exception:
            self._log.failure("{name} failed and is repeated later", name=self._name)
        finally:
            if self._started and self._next is None:
                self._schedule()
