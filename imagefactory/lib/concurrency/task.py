"""A coroutine that runs by itself and is cancelled at most once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from imagefactory.lib.concurrency.event import Event

T = TypeVar("T")


class Task(Generic[T]):
    """Runs `work` from now on.

    It may be awaited by many; cancelling one of them does not affect the work, only `cancel()` does. A failure that is
    not awaited is not logged: a task belongs to an owner (`Scope`, `TaskSet`) that looks at it.
    """

    def __init__(self, work: Awaitable[T]) -> None:
        self.ended: Event[T] = Event()
        self._executing = False
        self._cancelled = False
        self._cancel_later = False
        self._running = Deferred.fromCoroutine(self._steps(work))
        self._running.addCallbacks(self.ended.fire, self.ended.fail)

    def __await__(self) -> Generator[Deferred[Any], Any, T]:
        return self.ended.wait().__await__()

    def cancel(self) -> None:
        """Cancel the work, once: a second CancelledError would interrupt its clean-up."""
        if self._cancelled or self.ended.fired:
            return
        self._cancelled = True
        if self._executing:
            self._cancel_later = True
        else:
            self._running.cancel()

    async def settled(self, on_cancel: Callable[[], None] = lambda: None) -> CancelledError | None:
        """Wait until it has ended, with a result or a failure; see `Event.outlast`."""
        return await self.ended.outlast(on_cancel)

    def _steps(self, work: Awaitable[T]) -> Generator[Deferred[Any], Any, T]:
        """Run `work` step by step.

        Twisted loses a cancel() that comes while the coroutine itself is executing (it fires an event, and a waiter of
        that cancels this task). Here it takes effect at the next await.
        """
        steps = work.__await__()
        step: Callable[[], Deferred[Any]] = steps.__next__
        while True:
            self._executing = True
            try:
                awaited = step()
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                self._executing = False
            if self._cancel_later:
                self._cancel_later = False
                awaited.cancel()
            try:
                value = yield awaited
            except Exception as error:
                step = _throwing(steps, error)
            else:
                step = _sending(steps, value)


def _sending(steps: Generator[Any, Any, T], value: object) -> Callable[[], Deferred[Any]]:
    return lambda: steps.send(value)


def _throwing(steps: Generator[Any, Any, T], error: Exception) -> Callable[[], Deferred[Any]]:
    return lambda: steps.throw(error)
