"""Threads for tests that must not wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ImmediateThreads:
    """`Threads` that calls at once, in the caller's thread."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Threads.run`."""
        return function(*args, **kwargs)
