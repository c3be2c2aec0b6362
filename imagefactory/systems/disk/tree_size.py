"""How much space a tree needs."""

from __future__ import annotations

from pathlib import Path

from imagefactory.lib.errors import BuildFailed
from imagefactory.lib.process.interface import Command, Privilege, Processes
from imagefactory.systems.disk.layout import TreeSize


async def tree_size(tree: Path, *, processes: Processes, privilege: Privilege) -> TreeSize:
    """Measure the tree with du, as its root: an ordinary user may not even read the directories of others.

    Hard links count once, and nothing mounted on the tree counts.
    """
    return TreeSize(
        bytes=await allocated(tree, processes=processes, privilege=privilege),
        inodes=await _du(tree, "--inodes", processes, privilege),
    )


async def allocated(tree: Path, *, processes: Processes, privilege: Privilege) -> int:
    """Returns the bytes that the tree takes on the disk."""
    return await _du(tree, "--block-size=1", processes, privilege)


async def _du(tree: Path, unit: str, processes: Processes, privilege: Privilege) -> int:
    argv = privilege.argv("du", "--summarize", "--one-file-system", unit, "--", str(tree))
    output = await processes.output(Command(argv, "measuring the tree", merge=False))
    number, _, _ = output.partition("\t")
    if not number.isdecimal():
        raise BuildFailed(f"du answered {output[:80]!r} instead of a size", where=str(tree))
    return int(number)
