"""Something that happens once, and that any number of coroutines may wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Event(Generic[T]):
    """Fires once, with a value or a failure.

    A plain Deferred cannot be shared: whoever cancels it takes it from the others, and whoever changes its result
    changes it for the next. Here each waiter has its own, and cancelling one touches nobody else. A failure that nobody
    waits for is not logged: whoever fires the event decides what it means.
    """

    def __init__(self) -> None:
        self._outcome: list[T | Failure] = []
        self._waiters: list[Deferred[T]] = []

    @property
    def fired(self) -> bool:
        """Whether it has happened."""
        return bool(self._outcome)

    @property
    def failure(self) -> Failure | None:
        """The failure it fired with; None before that, or if it fired with a value."""
        return self._outcome[0] if self._outcome and isinstance(self._outcome[0], Failure) else None

    def fire(self, value: T) -> None:
        """It has happened; a second time is an error of the caller."""
        self._settle(value)

    def fail(self, failure: Failure) -> None:
        """It has happened, and badly."""
        self._settle(failure)

    def wait(self) -> Deferred[T]:
        """A Deferred of the caller's own; at once if it has happened already."""
        waiter: Deferred[T] = Deferred(self._forget)
        if self._outcome:
            waiter.callback(self._outcome[0])
        else:
            self._waiters.append(waiter)
        return waiter

    async def outlast(self, on_cancel: Callable[[], None] = lambda: None) -> CancelledError | None:
        """Wait until it has happened, whatever it is, through any number of cancellations.

        `on_cancel` is called for the first one only. The answer is that first cancellation, for the caller to raise
        when its clean-up is done: it must not be swallowed.
        """
        interruption: CancelledError | None = None
        while not self.fired:
            try:
                await self.wait().addErrback(_unless_cancelled, self)
            except CancelledError as error:
                if interruption is None:
                    interruption = error
                    on_cancel()
        return interruption

    def _settle(self, outcome: T | Failure) -> None:
        if self._outcome:
            raise RuntimeError("an event happens only once")
        self._outcome.append(outcome)
        while self._waiters:  # a waiter that hears of it may cancel one that is still to hear of it
            self._waiters.pop(0).callback(outcome)

    def _forget(self, waiter: Deferred[T]) -> None:
        self._waiters.remove(waiter)


async def either(*events: Event[Any]) -> None:
    """Wait until one of them has happened, well or not."""
    first: Event[None] = Event()

    def happened(_outcome: object) -> None:
        if not first.fired:
            first.fire(None)

    waiting = [event.wait().addBoth(happened) for event in events]
    try:
        await first.wait()
    finally:
        for waiter in waiting:
            waiter.cancel()


def _unless_cancelled(failure: Failure, event: Event[T]) -> Failure | None:
    """The event's own failure is no interruption of the wait, even if it is a CancelledError."""
    return None if event.fired else failure
