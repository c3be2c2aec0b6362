"""Coroutines that mostly have nothing to wait for."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def result_or_deferred(work: Coroutine[Deferred[Any], Any, T]) -> T | Deferred[T]:
    """Run `work` up to the first thing that it waits for.

    A Deferred for a result that is there costs more than many a piece of work that gets it.

    Returns:
        Its result if it has ended, else a Deferred, which cancels `work` when it is cancelled.

    Raises:
        Exception: what `work` raises before it waits.
    """
    try:
        awaited = work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return Deferred.fromCoroutine(_resumed(work, awaited))


def _resumed(work: Coroutine[Deferred[Any], Any, T], awaited: Deferred[Any]) -> Generator[Deferred[Any], Any, T]:
    while True:
        try:
            value = yield awaited
        except Exception as error:
            step = partial(work.throw, error)
        else:
            step = partial(work.send, value)
        try:
            awaited = step()
        except StopIteration as end:
            result: T = end.value
            return result
