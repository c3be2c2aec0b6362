"""How many files and connections this process may have open at once; its children keep the old limit.

Some programs close every descriptor up to the limit when they start.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress

RESERVE = 256
"""Descriptors for all that is no client: children, databases, bodies of images."""
FEWEST = 16
"""Fewer connections than this would serve no client."""

Limit = tuple[int, int]
GetLimit = Callable[[int], Limit]
SetLimit = Callable[[int, Limit], object]


def raise_limit(
    connections: int, get: GetLimit = resource.getrlimit, set_: SetLimit = resource.setrlimit, *, each: int = 1
) -> Limit:
    """Raise the soft limit as far as so many connections need and the hard limit allows.

    Args:
        each: how many descriptors go with one connection.

    Returns:
        The limit before.
    """
    before = soft, hard = get(resource.RLIMIT_NOFILE)
    wanted = connections * each + RESERVE
    highest = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and highest > soft:
        with suppress(ValueError, OSError):
            set_(resource.RLIMIT_NOFILE, (highest, hard))
    return before


def connections_within(wanted: int, get: GetLimit = resource.getrlimit, *, each: int = 1) -> int:
    """Returns how many of the wanted connections the limit allows."""
    soft, _ = get(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, max(FEWEST, (soft - RESERVE) // each))


class OriginalLimit:
    """A `ChildWatcher` that gives children, and all that they start, the limit that this process once had."""

    def __init__(self, limit: Limit, set_: Callable[[int, int, Limit], object] = resource.prlimit) -> None:
        self._limit = limit
        self._set = set_

    def started(self, pid: int) -> None:
        """Set it; a child that is gone already, or another user's, stays as it is."""
        with suppress(ProcessLookupError, PermissionError):
            self._set(pid, resource.RLIMIT_NOFILE, self._limit)

    def ended(self, pid: int) -> None:
        """Nothing to undo."""
