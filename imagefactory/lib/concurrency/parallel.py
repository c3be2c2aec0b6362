"""The same for many things, some at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from imagefactory.lib.concurrency.scope import Scope

K = TypeVar("K")
V = TypeVar("V")


async def in_parallel(ask: Callable[[K], Awaitable[V]], things: Iterable[K], at_once: int = 8) -> list[V]:
    """`ask` for each, never more than `at_once` under way; the answers in the order of the things.

    The first failure cancels the others and is raised.
    """
    waiting = iter(enumerate(things))
    answers: dict[int, V] = {}

    async def one_after_the_other() -> None:
        for number, thing in waiting:
            answers[number] = await ask(thing)

    async with Scope() as scope:
        for _ in range(at_once):
            scope.start(one_after_the_other())
    return [answers[number] for number in sorted(answers)]
