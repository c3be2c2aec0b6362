"""How long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def backoff(
    random: Callable[[], float], *, first: float = 1.0, factor: float = 2.0, limit: float = 60.0, jitter: float = 0.5
) -> Iterator[float]:
    """Delays in seconds, without end: `first`, growing by `factor` up to `limit`.

    Each is shortened by up to its `jitter` share (0 to 1), so that those who failed together do not come back together;
    `random` answers numbers from 0 to 1 (`random.random`).
    """
    delay = min(first, limit)
    while True:
        yield delay * (1 - jitter * random())
        delay = min(delay * factor, limit)
