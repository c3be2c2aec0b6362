"""Work that must not be interrupted half-way."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from imagefactory.lib.concurrency.task import Task

T = TypeVar("T")


async def shield(work: Awaitable[T]) -> T:
    """Await `work`; a cancellation waits for its end and is raised then.

    For clean-up, and for steps that cannot be taken back (a rename, a thread that runs).
    """
    task = Task(work)
    interruption = await task.settled()
    if interruption is not None:
        raise interruption
    return await task
