"""Which process a job belongs to, and whether that process still runs."""

from __future__ import annotations

import os

from imagefactory.jobs.interface import Owner
from imagefactory.process.identity import ProcessIdentity, identity_of


def this_process() -> Owner:
    """The owner that we are."""
    me = identity_of(os.getpid())
    return Owner(os.getpid(), me.started if me else 0)


def alive(owner: Owner) -> bool:
    """Whether that very process runs; a later one that got its pid is another."""
    return ProcessIdentity(owner.pid, owner.started).alive
