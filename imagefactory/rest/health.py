"""Whether the services that the daemon rests on still answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.taskset import TaskSet

#: Seconds in which a service has to answer.
TIMEOUT = 3.0


class Probe:
    """Asks one service, one question at a time, so that a hung disk does not fill the thread pool.

    Args:
        ask: raises what is wrong with the service.
        tasks: owns the question, which may outlive the request that asked.
    """

    _log = Logger()

    def __init__(
        self, name: str, ask: Callable[[], Coroutine[Any, Any, object]], clock: IReactorTime, tasks: TaskSet
    ) -> None:
        self.name = name
        self._ask = ask
        self._clock = clock
        self._tasks = tasks
        self._asked: Task[object] | None = None

    async def check(self) -> bool:
        """Whether the service answers, well and in time; the reason goes to the log, for `/health` is public.

        Raises:
            Unavailable: the site is being closed.
        """
        if self._asked is None or self._asked.ended.fired:
            self._asked = self._tasks.add(self._ask(), on_failure=lambda _: None)  # the one below is logged
        try:
            await self._asked.ended.wait().addTimeout(TIMEOUT, self._clock)
        except TimeoutError:
            self._log.warn("health: {name} has not answered in {seconds:g} seconds", name=self.name, seconds=TIMEOUT)
            return False
        except CancelledError:
            raise
        except Exception as error:
            self._log.warn("health: {name} does not answer: {error}", name=self.name, error=error)
            return False
        return True
