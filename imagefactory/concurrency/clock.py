"""Waiting on a clock that was handed in."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from imagefactory.concurrency.task import Task

T = TypeVar("T")

Clock = IReactorTime
"""What tells the time and calls later: the reactor, or `twisted.internet.task.Clock` in a test."""


async def sleep(clock: Clock, seconds: float) -> None:
    """Go on after `seconds`."""
    done: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, done.callback, None)
    await done


async def timeout(clock: Clock, seconds: float | None, work: Awaitable[T]) -> T:
    """Await `work`, and cancel it once after `seconds` (None: never).

    Raises TimeoutError when its clean-up is over, however the work took the cancellation: a coroutine that swallows
    CancelledError makes no timeout vanish. Cancelling from outside waits for the clean-up likewise.
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
