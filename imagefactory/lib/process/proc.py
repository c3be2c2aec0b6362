"""What /proc says about processes.

Reading it never waits for a disk, so it may be read on the reactor thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """One line of /proc/PID/stat (proc(5)): `started` is in clock ticks since boot and makes a reused pid another
    process."""

    pid: int
    state: str
    group: int
    started: int

    @property
    def dead(self) -> bool:
        """Ended, and only not yet reaped by its parent."""
        return self.state in "ZX"


def stat(pid: int, proc: Path = PROC) -> Stat | None:
    """Returns the process with that id; None if there is none."""
    try:
        text = (proc / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold anything, parentheses and blanks included.
    fields = text.rpartition(")")[2].split()
    return Stat(pid, fields[0], int(fields[2]), int(fields[19]))


def everybody(proc: Path = PROC) -> Iterator[Stat]:
    """Yields all processes."""
    for entry in proc.iterdir():
        if entry.name.isdecimal() and (found := stat(int(entry.name), proc)) is not None:
            yield found


def carries(pid: int, variable: bytes, proc: Path = PROC) -> bool:
    """Whether the process was started with this `NAME=value` in its environment; False if that may not be read."""
    try:
        return variable in (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def group_lives(group: int, proc: Path = PROC) -> bool:
    """Whether a process of the group still runs; ended ones that were not reaped do not count."""
    return any(one.group == group and not one.dead for one in everybody(proc))
