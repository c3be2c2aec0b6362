"""Finds what keeps a reactor from its other work: turns that take too long, with the stack in the act."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

BOUND = 1.0
"""Seconds that a turn may take; generous, because machines on which tests run are busy."""

_IMPORTING = "<frozen importlib._bootstrap>"
_CHECKS = 5  # within the bound


class TurnMeter:
    """Knows since when a turn lasts; `check` is called from another thread.

    A turn that imports modules is not reported: a daemon does so when it starts, before it serves anybody.
    """

    def __init__(
        self,
        report: Callable[[str], None],
        *,
        bound: float = BOUND,
        now: Callable[[], float] = time.monotonic,
        frame: Callable[[int], FrameType | None] = lambda thread: sys._current_frames().get(thread),
    ) -> None:
        self._report = report
        self._bound = bound
        self._now = now
        self._frame = frame
        self._turn: tuple[float, int] | None = None

    def begin(self) -> None:
        """The reactor has something to do."""
        self._turn = self._now(), threading.get_ident()

    def end(self) -> None:
        """It waits for more."""
        self._turn = None

    def check(self) -> None:
        """Report a turn that is longer than allowed, once."""
        turn = self._turn
        if turn is None or self._now() - turn[0] <= self._bound:
            return
        stack = "".join(traceback.format_stack(self._frame(turn[1])))
        if self._turn is turn and _IMPORTING not in stack:
            self._turn = None
            self._report(f"a turn of the reactor took more than {self._bound:g} seconds:\n{stack}\n")


class MeteredPoller:
    """An epoll object between whose polls turns are measured."""

    def __init__(self, poller: Any, meter: TurnMeter) -> None:
        self._poller = poller
        self._meter = meter
        self._watching = 0  # the process in which a thread watches: a daemon forks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, *args: Any) -> list[tuple[int, int]]:
        """See select.epoll."""
        self._meter.end()
        if self._watching != os.getpid():
            self._watching = os.getpid()
            threading.Thread(target=self._watch, daemon=True).start()
        try:
            events: list[tuple[int, int]] = self._poller.poll(*args)
            return events
        finally:
            self._meter.begin()

    def _watch(self) -> None:
        while True:
            time.sleep(BOUND / _CHECKS)
            self._meter.check()


def measure_turns(path: Path) -> None:
    """Append what takes too long to the file `path`; before a reactor is installed in this process."""
    from twisted.internet import epollreactor

    def report(text: str) -> None:
        with path.open("a") as file:
            file.write(text)

    make, meter = epollreactor.epoll, TurnMeter(report)
    epollreactor.epoll = lambda size: MeteredPoller(make(size), meter)
