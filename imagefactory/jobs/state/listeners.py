"""Those who listen to jobs; one that fails harms nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.logger import Logger

from imagefactory.jobs.interface import Unsubscribe

T = TypeVar("T")


class Listeners(Generic[T]):
    """Listeners, called in the order in which they came."""

    _log = Logger()

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[T], None]] = {}

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def join(self, listener: Callable[[T], None]) -> Unsubscribe:
        """Call `listener` from now on, until the answer is called (any number of times)."""
        seat = object()
        self._listeners[seat] = listener
        return lambda: self._listeners.pop(seat, None) and None

    def tell(self, message: T) -> None:
        """Give `message` to all of them; what one raises is logged and goes no further."""
        for seat, listener in list(self._listeners.items()):
            if seat in self._listeners:
                try:
                    listener(message)
                except Exception:
                    self._log.failure("a listener failed")
