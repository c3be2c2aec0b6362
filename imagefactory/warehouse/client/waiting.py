"""Trying again: the one place that does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from math import inf
from typing import TypeVar

from twisted.logger import Logger

from imagefactory.lib.concurrency.backoff import backoff
from imagefactory.lib.concurrency.clock import Clock, sleep
from imagefactory.lib.errors import Unavailable
from imagefactory.model.report import current_report
from imagefactory.warehouse.client.errors import TemporarilyUnavailable

FIRST, LONGEST = 0.25, 30.0
BRIEF = 5.0
"""Seconds to wait where no job does: a client waits for the reply."""

T = TypeVar("T")


class Waiting:
    """Waits for a warehouse that does not answer: a job up to `limit` seconds, others briefly.

    The time counts from when any request found it down: what is asked of it after that time (as clean-up of a
    job that has given up) fails at once. Everything tried here must be safe to repeat.
    """

    _log = Logger()

    def __init__(self, clock: Clock, random: Callable[[], float], limit: float) -> None:
        self._clock = clock
        self._random = random
        self._limit = limit
        self._down: float | None = None  # since when
        self._failed = -inf  # last time

    async def until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until an attempt does not raise `TemporarilyUnavailable`; returns or raises what it does.

        Raises Unavailable after the limit.
        """
        delays = backoff(self._random, first=FIRST, limit=LONGEST)
        tries, told = 0, False
        while True:
            began = self._clock.seconds()
            try:
                answer = await attempt()
            except TemporarilyUnavailable as error:
                tries += error.tries < inf  # an outage is no try
                delay = self._delay(error, tries, began, delays)
                told = self._tell(error) or told
            else:
                self._down = None
                if told and (report := current_report()):
                    report.activity("the warehouse answers again")
                return answer
            await sleep(self._clock, delay)

    def patience(self, usual: float) -> float:
        """Seconds that the warehouse may be silent: a moment, not the `usual` time, once it was given up."""
        now = self._clock.seconds()
        known = self._down is not None and now - self._failed <= 2 * LONGEST
        return min(usual, BRIEF) if known and self._left(now) <= 0 else usual

    def _left(self, now: float) -> float:
        limit = self._limit if current_report() else min(self._limit, BRIEF)
        return (now if self._down is None else self._down) + limit - now

    def _delay(self, error: TemporarilyUnavailable, tries: int, began: float, delays: Iterator[float]) -> float:
        """How long to wait now; Unavailable if that is no use any more."""
        now, delay = self._clock.seconds(), next(delays)
        if error.tries < inf:
            if tries >= error.tries:
                raise Unavailable(error.message, where=error.where, hint="look into the warehouse's log") from error
            return delay
        if self._down is None or began - self._failed > 2 * LONGEST:  # else it is still the same outage
            self._down = began
        self._failed = now
        left = self._left(now)
        if left <= 0:
            raise Unavailable(
                f"{error.message}; waited {now - self._down:.0f} seconds",
                where=error.where,
                hint="see that the warehouse runs and is reachable, then retry",
            ) from error
        return min(delay, left)

    def _tell(self, error: TemporarilyUnavailable) -> bool:
        self._log.warn("waiting for the warehouse: {error}", error=str(error))
        if report := current_report():
            report.activity("waiting for the warehouse")
            return True
        return False
