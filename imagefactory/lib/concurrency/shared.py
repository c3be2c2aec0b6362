"""Work that several callers ask for, and that is done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError

from imagefactory.lib.concurrency.task import Task

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _SharedRun(Generic[T]):
    task: Task[T]
    waiters: int = 0
    ending: bool = False


class SharedRuns(Generic[K, T]):
    """One run per key at a time; all callers meanwhile get its outcome.

    A waiter that is cancelled leaves at once; the last one cancels the run and leaves when that has ended. A caller
    that comes while a cancelled run ends waits for that, and gets a new run.
    """

    def __init__(self) -> None:
        self._runs: dict[K, _SharedRun[T]] = {}

    def running(self, key: K) -> bool:
        """Whether there is a run of `key` now."""
        return key in self._runs

    async def run(self, key: K, start: Callable[[], Awaitable[T]]) -> T:
        """Returns or raises the outcome of the run of `key`, begun with `start()` if there is none."""
        while (run := self._runs.get(key)) is not None and run.ending:
            interruption = await run.task.settled()
            if interruption is not None:
                raise interruption
        return await self._join(run or self._begin(key, start))

    def _begin(self, key: K, start: Callable[[], Awaitable[T]]) -> _SharedRun[T]:
        run = _SharedRun(Task(start()))
        if not run.task.ended.fired:
            self._runs[key] = run
            run.task.ended.wait().addBoth(lambda _: self._runs.pop(key)).addErrback(lambda _: None)
        return run

    async def _join(self, run: _SharedRun[T]) -> T:
        run.waiters += 1
        try:
            return await run.task
        except CancelledError:
            run.waiters -= 1
            if not run.task.ended.fired and run.waiters == 0:
                run.ending = True
                run.task.cancel()
                await run.task.settled()
            raise
