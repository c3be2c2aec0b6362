"""Taking away what was built, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from imagefactory.lib.errors import Conflict
from imagefactory.lib.process.interface import Command, Privilege, Processes

MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def mounts_below(path: Path, mountinfo: str) -> list[str]:
    """The mount points at or below `path` (absolute, without symbolic links) in the text of a mountinfo file
    (proc(5))."""
    points = (_unescape(line.split(" ")[4]) for line in mountinfo.splitlines() if line.count(" ") > 4)
    return [point for point in points if Path(point).is_relative_to(path)]


async def remove_tree(path: Path, processes: Processes, privilege: Privilege) -> None:
    """Remove `path` with all below; what is absent is no error.

    Symbolic links are removed, not followed; other file systems are not entered. Raises Conflict while something is
    mounted there, because a bind mount is a way into the host's own files, CommandFailed if it cannot be removed.
    """
    place = path.parent.resolve() / path.name
    mounted = mounts_below(place, MOUNTS.read_text())
    if mounted:
        raise Conflict(
            f"{mounted[0]} is mounted there; it is not removed", where=str(place), hint=f"umount {mounted[0]}"
        )
    argv = privilege.argv("rm", "-rf", "--one-file-system", "--", str(place))
    await processes.check(Command(argv, f"removing {place}"))


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
