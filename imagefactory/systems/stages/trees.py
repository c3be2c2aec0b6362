"""Root trees as single files: one zstd-compressed tar, with owners, attributes, capabilities and holes."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from imagefactory.lib.concurrency.cleanup import clean_up
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import CommandFailed, NoSpace
from imagefactory.lib.process.interface import Command, Privilege, Processes
from imagefactory.lib.process.tools import missing
from imagefactory.lib.process.trees import remove_tree
from imagefactory.lib.sizes import human_size
from imagefactory.systems.disk.space import tells_of_full_disk

#: Measured with 326 MiB of system files: 0.9 s and 110 MiB; tar's own work is most of that.
PACKER = "zstd -1 -T0 -q"
#: What tar (that unpacks) or its shell (that packs) says where there is no zstd.
_NO_PACKER = re.compile(r"zstd.*: (?:Cannot exec|not found)")
KEEP = ("--numeric-owner", "--acls", "--xattrs", "--xattrs-include=*")


class Trees:
    """Packs and unpacks trees that belong to `privilege`'s root.

    Everything runs as child processes, in the same user namespace as what made the tree: only there do owners and file
    capabilities have their meaning. `total` is how many seconds one of them may take.
    """

    def __init__(
        self, processes: Processes, threads: Threads, privilege: Privilege, total: float | None = None
    ) -> None:
        self._processes = processes
        self._threads = threads
        self._privilege = privilege
        self._total = total

    async def pack(self, tree: Path, packed: Path, privilege: Privilege | None = None) -> None:
        """Write `tree` to the new file `packed`, which is absent unless this succeeds; mounts below are left out.

        Args:
            privilege: how to read the tree, if it is not simply there.

        Raises:
            NoSpace, CommandFailed, MissingTool, TimedOut.
        """
        argv = _tar(packed, tree, "--create", "--format=posix", "--sparse", "--one-file-system")
        try:
            await self._run(f"packing {tree.name}", packed, (privilege or self._privilege).argv(*argv, "."))
        except BaseException:
            await clean_up(self._threads.run(partial(packed.unlink, missing_ok=True)))
            raise

    async def unpack(self, packed: Path, tree: Path) -> None:
        """Make the new directory `tree`, which is absent unless this succeeds.

        Raises NoSpace, CommandFailed, MissingTool, TimedOut, FileExistsError.
        """
        await self._threads.run(tree.mkdir)
        argv = _tar(packed, tree, "--extract", "--preserve-permissions", "--same-owner")
        try:
            await self._run(f"unpacking {tree.name}", tree, self._privilege.argv(*argv))
        except BaseException:
            await clean_up(remove_tree(tree, self._processes, self._privilege, self._threads))
            raise

    async def _run(self, title: str, written: Path, argv: tuple[str, ...]) -> None:
        try:
            await self._processes.check(Command(argv, title, total=self._total))
        except CommandFailed as failure:
            if any(_NO_PACKER.search(line) for line in failure.tail):
                raise missing("zstd") from failure
            if await self._threads.run(tells_of_full_disk, failure.tail, written):
                raise await self._threads.run(_no_space, written) from failure
            raise


def _tar(packed: Path, tree: Path, *options: str) -> tuple[str, ...]:
    return ("tar", *options, *KEEP, f"--use-compress-program={PACKER}", f"--file={packed}", f"--directory={tree}")


def _no_space(path: Path) -> NoSpace:
    size = path.stat().st_size if path.is_file() else 0
    reached = f" after {human_size(size)} ({size} bytes)" if size else ""
    hint = "make room there, or choose a larger file system with the settings imgdir and state_dir"
    return NoSpace(f"no space left for {path.name}{reached}", where=str(path), hint=hint)
