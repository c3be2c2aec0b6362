"""Which process a pid means: a pid is used again, the pair of pid and start time is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Field 22 of /proc/PID/stat (proc(5)), counted after the program's name, which may hold blanks and brackets.
START_TIME = 22 - 3


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process for good: `started` is in clock ticks since boot."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return identity_of(self.pid) == self


def identity_of(pid: int) -> ProcessIdentity | None:
    """The process that has `pid` now; None if there is none, or it is a zombie waiting to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else ProcessIdentity(pid, int(fields[START_TIME]))
