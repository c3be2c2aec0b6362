"""Blocking work, off the reactor thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.shield import shield

NICE = 5
"""A third of the share of others, and all that they leave (sched(7))."""

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Protocol):
    """Runs blocking functions."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it in a thread.

        A thread cannot be interrupted: cancelling waits for the call to end.
        """
        ...


class PoolThreads:
    """`Threads` over a pool of its own, between `start()` and `stop()`.

    `yielding`: when the processors are busy, the reactor's thread comes first, and what they start yields, too.
    """

    def __init__(
        self, reactor: IReactorFromThreads, size: int = 4, name: str = "imagefactory", *, yielding: bool = False
    ) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=0, maxthreads=size, name=name)
        if yielding:
            self._pool.threadFactory = _YieldingThread
        self._busy = 0
        self._idle: Event[None] | None = None

    def start(self) -> None:
        """Calls that were made before are run from now on."""
        self._pool.start()

    async def stop(self) -> None:
        """End the threads after the calls that are running or waiting."""
        if self._busy:
            self._idle = Event()
            await self._idle.outlast()
        self._pool.stop()

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Threads.run`."""
        self._busy += 1
        try:
            return await shield(deferToThreadPool(self._reactor, self._pool, function, *args, **kwargs))
        finally:
            self._busy -= 1
            if self._idle is not None and not self._busy:
                self._idle.fire(None)


class _YieldingThread(threading.Thread):
    """Linux gives each thread a priority of its own, which threads that it starts inherit."""

    def run(self) -> None:
        """See Thread."""
        me = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, me, max(NICE, os.getpriority(os.PRIO_PROCESS, me)))
        super().run()
