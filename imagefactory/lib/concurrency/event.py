"""An event that happens once, and that any number of coroutines may wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Event(Generic[T]):
    """Fires once, with a value or a failure.

    A plain Deferred cannot be shared: cancelling it cancels it for all, and a callback changes the result for the next.
    Here each waiter has its own Deferred, and cancelling one does not affect the others. A failure without a waiter is
    not logged: the code that fires the event decides what it means.
    """

    def __init__(self) -> None:
        self._outcome: list[T | Failure] = []
        self._waiters: list[Deferred[T]] = []

    @property
    def fired(self) -> bool:
        """Whether it has fired."""
        return bool(self._outcome)

    @property
    def failure(self) -> Failure | None:
        """The failure it fired with; None before that, or if it fired with a value."""
        return self._outcome[0] if self._outcome and isinstance(self._outcome[0], Failure) else None

    def fire(self, value: T) -> None:
        """Fire with a value; RuntimeError the second time."""
        self._settle(value)

    def fail(self, failure: Failure) -> None:
        """Fire with a failure; RuntimeError the second time."""
        self._settle(failure)

    def wait(self) -> Deferred[T]:
        """Returns a Deferred of the caller's own, which has its result already if the event has fired."""
        waiter: Deferred[T] = Deferred(self._forget)
        if self._outcome:
            waiter.callback(self._outcome[0])
        else:
            self._waiters.append(waiter)
        return waiter

    async def outlast(self, on_cancel: Callable[[], None] = lambda: None) -> CancelledError | None:
        """Wait until it has fired, with a value or a failure, through any number of cancellations.

        Args:
            on_cancel: called for the first cancellation only.

        Returns:
            The first cancellation, which the caller has to raise when its clean-up is done.
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
            raise RuntimeError("an event fires only once")
        self._outcome.append(outcome)
        while self._waiters:  # the callback of one may cancel a later one, which leaves the list then
            self._waiters.pop(0).callback(outcome)

    def _forget(self, waiter: Deferred[T]) -> None:
        self._waiters.remove(waiter)


async def either(*events: Event[Any]) -> None:
    """Wait until one of them has fired, with a value or a failure."""
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
    """Tell the event's own failure, which may be a CancelledError, from an interruption of the wait."""
    return None if event.fired else failure
