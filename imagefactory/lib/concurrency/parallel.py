"""One coroutine function for many items, some at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from imagefactory.lib.concurrency.scope import Scope

K = TypeVar("K")
V = TypeVar("V")


async def in_parallel(ask: Callable[[K], Awaitable[V]], things: Iterable[K], at_once: int = 8) -> list[V]:
    """Returns the results of `ask` for each item, in their order; at most `at_once` run at a time.

    The first failure cancels the others and is raised.
    """
    waiting = iter(enumerate(things))
    results: dict[int, V] = {}

    async def one_after_the_other() -> None:
        for number, thing in waiting:
            results[number] = await ask(thing)

    async with Scope() as scope:
        for _ in range(at_once):
            scope.start(one_after_the_other())
    return [results[number] for number in sorted(results)]
