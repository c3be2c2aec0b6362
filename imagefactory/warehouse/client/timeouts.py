"""How long nothing may happen."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.internet.interfaces import IDelayedCall

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.task import Task

T = TypeVar("T")


class IdleTimeout:
    """Ends one piece of work when nothing has moved for `seconds`, however long it takes in all."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._task: Task[Any] | None = None
        self._call: IDelayedCall | None = None
        self._held = False
        self._expired = False

    async def guard(self, work: Awaitable[T]) -> T:
        """Await `work`; TimeoutError, its clean-up being over, if it stood still for too long."""
        task = Task(work)
        self._task = task
        if not task.ended.fired:
            self._call = self._clock.callLater(self._seconds, self._expire)
        interruption = await task.settled(on_cancel=task.cancel)
        if self._call is not None and self._call.active():
            self._call.cancel()
        if interruption is not None:
            raise interruption
        if self._expired:
            raise TimeoutError(f"nothing came for {self._seconds:g} seconds")
        return await task

    def moved(self) -> None:
        """Something happened."""
        if self._call is not None and self._call.active():
            self._call.reset(self._seconds)

    def hold(self) -> None:
        """It is we who let the other side wait."""
        self._held = True

    def release(self) -> None:
        """It is its turn again."""
        self._held = False
        self.moved()

    def _expire(self) -> None:
        if self._held:
            self._call = self._clock.callLater(self._seconds, self._expire)
            return
        self._expired = True
        assert self._task is not None
        self._task.cancel()
