"""Threads for tests that must not wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

from imagefactory.lib.concurrency.shield import shield

P = ParamSpec("P")
T = TypeVar("T")


class ImmediateThreads:
    """`Threads` that calls at once, in the caller's thread."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Threads.run`."""
        return function(*args, **kwargs)


class HeldThreads:
    """Call number `held` does its work and comes back only when it is let go; others come back at once."""

    def __init__(self, held: int) -> None:
        self._left = held
        self._gate: Deferred[None] = Deferred()

    @property
    def holding(self) -> bool:
        """Whether that call has come."""
        return self._left <= 0

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Threads.run`."""
        self._left -= 1
        result = function(*args, **kwargs)
        if self._left == 0:
            await shield(self._gate)
        return result

    def let_go(self) -> None:
        """That call comes back now."""
        self._gate.callback(None)


class KilledThreads:
    """Threads of a process that is killed in its call number `fatal`: the call does its work and never comes back."""

    #: What waits for ever has to be kept: a coroutine that is collected is closed, and would clean up.
    _stuck: ClassVar[list[Deferred[None]]] = []

    def __init__(self, fatal: int) -> None:
        self._left = fatal

    @property
    def alive(self) -> bool:
        """Whether that call has not come yet."""
        return self._left > 0

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Threads.run`."""
        self._left -= 1
        result = function(*args, **kwargs)
        if not self.alive:
            never: Deferred[None] = Deferred()
            self._stuck.append(never)
            await never
        return result
