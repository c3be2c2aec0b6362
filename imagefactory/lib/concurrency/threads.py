"""Blocking work, off the reactor thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.errors import Unavailable

NICE = 5
"""A third of the share of others, and all that they leave (sched(7))."""

P = ParamSpec("P")
T = TypeVar("T")

DATABASE_THREADS = 4
BULK_THREADS = 8


class Threads(Protocol):
    """Runs blocking functions."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns what `function` returns, called in a thread.

        A thread cannot be interrupted: cancelling waits for the call to end.
        """
        ...


class PoolThreads:
    """`Threads` over a pool of its own, between `start()` and `stop()`.

    Args:
        reactor: where results arrive.
        size: how many calls run at once; more of them wait.
        name: of the threads, for debuggers.
        yielding: when the processors are busy, the reactor's thread comes first, and what they start yields, too.
        abandoned: threads that still run do not keep the process from ending.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        size: int = 4,
        name: str = "imagefactory",
        *,
        yielding: bool = False,
        abandoned: bool = False,
    ) -> None:
        self._reactor = reactor
        self._name = name
        self._pool = ThreadPool(minthreads=0, maxthreads=size, name=name)
        if yielding:
            self._pool.threadFactory = _YieldingThread
        elif abandoned:
            self._pool.threadFactory = _AbandonedThread
        self._busy = 0
        self._stopping = False
        self._idle: Event[None] = Event()

    def start(self) -> None:
        """Calls that were made before are run from now on."""
        self._pool.start()

    async def stop(self) -> None:
        """Refuse calls from now on, and end the threads after those that are running or waiting."""
        first, self._stopping = not self._stopping, True
        self._note_idle()
        interruption = await self._idle.outlast()
        if first:
            self._pool.stop()
        if interruption is not None:
            raise interruption

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Threads.run`; Unavailable once it is being stopped, when no thread may be left to run anything."""
        if self._stopping:
            raise Unavailable(f"the threads of {self._name} are stopped", hint="the program is ending")
        self._busy += 1
        try:
            return await shield(deferToThreadPool(self._reactor, self._pool, function, *args, **kwargs))
        finally:
            self._busy -= 1
            self._note_idle()

    def _note_idle(self) -> None:
        if self._stopping and not self._busy and not self._idle.fired:
            self._idle.fire(None)


class ThreadPools:
    """The threads of a process by purpose, so that slow work of one kind does not delay the others.

    Attributes:
        database: short calls that others wait for: databases, the journal, nonces. They never yield to the reactor.
        bulk: all that may take long: bodies, digests, copies, uploads, parsing.
    """

    def __init__(self, reactor: IReactorFromThreads, *, yielding: bool = False) -> None:
        self.database = PoolThreads(reactor, DATABASE_THREADS, "database")
        self.bulk = PoolThreads(reactor, BULK_THREADS, "bulk", yielding=yielding)

    def start(self) -> None:
        """Start both."""
        self.database.start()
        self.bulk.start()

    async def stop(self) -> None:
        """Stop both, the database last: the end of the bulk work is recorded there."""
        try:
            await self.bulk.stop()
        finally:
            await self.database.stop()


class _YieldingThread(threading.Thread):
    """Linux gives each thread a priority of its own, which threads that it starts inherit."""

    def run(self) -> None:
        """See Thread."""
        me = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, me, max(NICE, os.getpriority(os.PRIO_PROCESS, me)))
        super().run()


class _AbandonedThread(threading.Thread):
    """The interpreter does not wait for it when it ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, daemon=True, **kwargs)
