"""Long blocking work on files that ends soon when it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Stopped
from imagefactory.lib.files.holes import Watch

T = TypeVar("T")


async def stoppable(threads: Threads, work: Callable[[Watch], T]) -> T:
    """Run `work(watch)` in a thread.

    A thread cannot be interrupted, but what calls `watch` now and then can be asked to stop: cancelling does so, and is
    raised when the thread has ended.
    """
    asked = Event()

    def watch(_done: int, _total: int) -> None:
        if asked.is_set():
            raise Stopped("cancelled")

    task = Task(threads.run(work, watch))
    interruption = await task.settled(on_cancel=asked.set)
    if interruption is not None:
        raise interruption
    return await task
