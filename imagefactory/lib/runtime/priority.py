"""The priority of children: when the processors are busy, the daemon's answers come before builds."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

NICE = 10
"""A tenth of the share of others, and all that they leave (nice(1), sched(7))."""

SetPriority = Callable[[int, int, int], None]


class LowerPriority:
    """A `ChildWatcher` that lets children, and all that they start, yield to this process and to others."""

    def __init__(self, set_priority: SetPriority = os.setpriority) -> None:
        self._set_priority = set_priority

    def started(self, pid: int) -> None:
        """Lower it; a child that is gone already, or another user's, stays as it is."""
        with suppress(ProcessLookupError, PermissionError):
            self._set_priority(os.PRIO_PROCESS, pid, NICE)

    def ended(self, pid: int) -> None:
        """Nothing to undo."""
