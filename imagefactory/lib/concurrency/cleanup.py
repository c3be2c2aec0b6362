"""Clean-up whose own failure never takes the place of the error that led to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.lib.concurrency.task import Task

_log = Logger()


async def clean_up(work: Awaitable[object]) -> CancelledError | None:
    """Await `work` to its end; what fails in it is logged.

    Returns:
        The cancellation that came meanwhile.
    """
    task = Task(work)
    interruption = await task.settled()
    task.ended.wait().addErrback(lambda failure: _log.warn("clean-up failed: {error!r}", error=failure.value))
    return interruption


@asynccontextmanager
async def cleaned_up(work: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Await `work()` after the block; what fails in it is logged.

    Raises:
        CancelledError: the block succeeded, and the caller was cancelled during the clean-up.
    """
    try:
        yield
    except BaseException:
        await clean_up(work())
        raise
    interruption = await clean_up(work())
    if interruption is not None:
        raise interruption
