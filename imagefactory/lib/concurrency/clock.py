"""Waiting on a clock that is handed in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from imagefactory.lib.concurrency.task import Task

T = TypeVar("T")

Clock = IReactorTime
"""Tells the time and calls later: the reactor, or `twisted.internet.task.Clock` in a test."""


def wait_steadily(
    reactor: Any, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
) -> None:
    """Keep delays and limits right when the computer's clock is set.

    Twisted's reactors take `time.time` for everything: a clock that is set back by an hour would stop each limit and
    pause for an hour. Here `reactor.seconds` counts by a monotonic clock, from the time of the call on, so that calls
    that are scheduled already keep their time. What needs the real time (signatures, times that people read, files'
    times) uses a `WallClock`.
    """
    offset = wall() - monotonic()
    reactor.seconds = lambda: monotonic() + offset


@implementer(IReactorTime)
class WallClock:
    """Waits as `clock` does, and tells the time of the computer's clock."""

    def __init__(self, clock: Clock, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall

    def seconds(self) -> float:
        """Returns the Unix time in seconds."""
        return self._wall()

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> IDelayedCall:
        """See `IReactorTime`."""
        return self._clock.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """See `IReactorTime`."""
        return self._clock.getDelayedCalls()


async def sleep(clock: Clock, seconds: float) -> None:
    """Return after `seconds`."""
    done: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, done.callback, None)
    await done


async def timeout(clock: Clock, seconds: float | None, work: Awaitable[T]) -> T:
    """Await `work`, and cancel it once after `seconds` (None: never).

    Cancelling from outside waits for the work's clean-up, too.

    Raises:
        TimeoutError: after the clean-up of the cancelled work, also if that swallowed CancelledError.
    """
    task = Task(work)
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    call = None if seconds is None or task.ended.fired else clock.callLater(seconds, expire)
    interruption = await task.settled(on_cancel=task.cancel)
    if call is not None and call.active():
        call.cancel()
    if interruption is not None:
        raise interruption
    if expired:
        raise TimeoutError(f"not done after {seconds:g} seconds")
    return await task
