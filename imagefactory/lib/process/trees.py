"""Removing what was built, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Conflict
from imagefactory.lib.process.interface import Command, Privilege, Processes

MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def mounts_below(path: Path, mountinfo: str) -> list[str]:
    """Returns the mount points at or below `path` (absolute, without symbolic links) in the text of a mountinfo file
    (proc(5))."""
    points = (_unescape(line.split(" ")[4]) for line in mountinfo.splitlines() if line.count(" ") > 4)
    return [point for point in points if Path(point).is_relative_to(path)]


async def remove_tree(path: Path, processes: Processes, privilege: Privilege, threads: Threads) -> None:
    """Remove `path` with all below; an absent one is no error.

    Symbolic links are removed, not followed; other file systems are not entered.

    Raises:
        Conflict: something is mounted there; a bind mount is a way into the host's own files.
        CommandFailed: it cannot be removed.
    """
    place, mounted = await threads.run(_mounts_of, path)
    if mounted:
        raise Conflict(
            f"{mounted[0]} is mounted there; it is not removed", where=str(place), hint=f"umount {mounted[0]}"
        )
    argv = privilege.argv("rm", "-rf", "--one-file-system", "--", str(place))
    await processes.check(Command(argv, f"removing {place}"))


def _mounts_of(path: Path) -> tuple[Path, list[str]]:
    """Returns `path` without symbolic links before its last part, and what is mounted at or below it."""
    place = path.parent.resolve() / path.name
    return place, mounts_below(place, MOUNTS.read_text())


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
