"""Which process a job belongs to, and whether that process still runs."""

from __future__ import annotations

import os
from pathlib import Path

from imagefactory.jobs.interface import Owner

#: Fields after the program's name in /proc/PID/stat (proc(5)); field 22 of all is the start time.
START_TIME = 22 - 3


def this_process() -> Owner:
    """The owner that we are."""
    pid = os.getpid()
    return Owner(pid, _started(pid) or 0)


def alive(owner: Owner) -> bool:
    """Whether that very process runs; a later one that got its pid is another."""
    return _started(owner.pid) == owner.started


def _started(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[START_TIME])
