"""How long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def backoff(
    random: Callable[[], float], *, first: float = 1.0, factor: float = 2.0, limit: float = 60.0, jitter: float = 0.5
) -> Iterator[float]:
    """Yields delays in seconds, without end: `first`, growing by `factor` up to `limit`.

    Args:
        random: returns numbers from 0 to 1 (`random.random`).
        jitter: the share (0 to 1) by which a delay may be shorter, so that clients that failed together do not come
            back together.
    """
    delay = min(first, limit)
    while True:
        yield delay * (1 - jitter * random())
        delay = min(delay * factor, limit)
