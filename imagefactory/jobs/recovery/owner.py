"""Which process a job belongs to, and whether that process still runs."""

from __future__ import annotations

import os

from imagefactory.jobs.store.interface import Owner
from imagefactory.lib.process.proc import stat


def this_process(*, daemon: bool) -> Owner:
    """The owner that we are."""
    me = stat(os.getpid())
    return Owner(os.getpid(), me.started if me else 0, daemon)


def alive(owner: Owner) -> bool:
    """Whether that very process runs; a later one that got its pid is another."""
    found = stat(owner.pid)
    return found is not None and found.started == owner.started and not found.dead
