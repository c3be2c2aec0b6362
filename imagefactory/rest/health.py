"""Whether those that everything rests on still answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from imagefactory.lib.concurrency.task import Task

#: Seconds that a neighbour has for an answer.
PATIENCE = 3.0

Ask = Callable[[], Awaitable[object]]


class Probe:
    """Asks one neighbour, and never while it still owes an answer: a dead disk must not collect threads."""

    _log = Logger()

    def __init__(self, name: str, ask: Ask, clock: IReactorTime) -> None:
        self.name = name
        self._ask = ask
        self._clock = clock
        self._asked: Task[object] | None = None

    async def look(self) -> bool:
        """Whether it answers, in time and well; why not is in the log, for `/health` is open to everybody."""
        if self._asked is None or self._asked.ended.fired:
            self._asked = Task(self._ask())
        try:
            await self._asked.ended.wait().addTimeout(PATIENCE, self._clock)
        except TimeoutError:
            self._log.warn("health: {name} has not answered in {seconds:g} seconds", name=self.name, seconds=PATIENCE)
            return False
        except Exception as error:
            self._log.warn("health: {name} does not answer: {error}", name=self.name, error=error)
            return False
        return True
