"""What the stages do to a root tree, through a chroot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagefactory.build.actions import BuildContext
from imagefactory.build.guest_actions import adapt, customise
from imagefactory.build.tree_disk import DISK_VERSION, TreeDiskMaker
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed
from imagefactory.lib.process.interface import Privilege, Processes
from imagefactory.lib.process.layers import can_lay, frozen, laid, lay, within
from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.systems.disk.boot_files import demand_parameters
from imagefactory.systems.disk.layout import demand_size
from imagefactory.systems.disk.tree_size import allocated
from imagefactory.systems.engines.interface import Engine, RootTree
from imagefactory.systems.guests.interface import Guest
from imagefactory.systems.stages.trees import Trees
from imagefactory.targets.interface import Target

#: Where in a workspace the tree is; the engine puts it there.
TREE = "root"


@dataclass(frozen=True, slots=True)
class TreeActions:
    """`StageActions` with root trees; `guest` is the way into one (as its root), `timeout` seconds for one step."""

    engine: Engine
    guest: Callable[[Path, Privilege], Guest]
    trees: Trees
    processes: Processes
    privilege: Privilege
    threads: Threads
    timeout: float

    def check(self, template: Template, target: Target) -> None:
        """See `StageActions`."""
        demand_parameters(template.os.kernel_parameters)
        if template.disk_size is not None:
            demand_size(template.disk_size, target.largest_disk, target.name)

    def inputs(self, context: BuildContext) -> Mapping[str, str]:
        """See `StageActions`."""
        return {
            "disk": DISK_VERSION,
            "target": context.target.name,
            "conversion": repr(context.target.conversion()),
            "disk size": str(context.template.disk_size),
            "kernel parameters": context.template.os.kernel_parameters,
        }

    async def base(self, context: BuildContext, workspace: Path, report: Report) -> None:
        """See `StageActions`."""
        made = await self.engine.build(context.plan, workspace, report)
        if made != RootTree(workspace / TREE):
            raise BuildFailed(f"engine {self.engine.name} made no tree that could be customised here")

    async def customise(self, context: BuildContext, workspace: Path, report: Report) -> bytes:
        """See `StageActions`."""
        guest = self.guest(workspace / TREE, await self._root(workspace))
        return await customise(guest, context, report, timeout=self.timeout)

    async def can_overlay(self, workspace: Path) -> bool:
        """See `StageActions`."""
        return await can_lay(workspace, self.processes, self.privilege)

    async def lay(self, below: Path, workspace: Path) -> None:
        """See `StageActions`."""
        await lay(below / TREE, workspace / TREE, self.processes, self.privilege)

    async def adapt(self, context: BuildContext, workspace: Path, image: Path, seed: str, report: Report) -> bytes:
        """See `StageActions`."""
        tree, root = workspace / TREE, await self._root(workspace)
        scratch = workspace / "disk"
        maker = TreeDiskMaker(context, tree, scratch, seed, self.processes, root, self.threads, self.timeout)
        return await adapt(self.guest(tree, root), context, maker, image, report, timeout=self.timeout)

    async def size(self, workspace: Path) -> int:
        """See `StageActions`."""
        return await allocated(workspace, processes=self.processes, privilege=self.privilege)

    async def pack(self, workspace: Path, archive: Path) -> None:
        """See `StageActions`."""
        tree = workspace / TREE
        laid_over = await self.threads.run(laid, tree)
        await self.trees.pack(tree, archive, frozen(tree, self.privilege) if laid_over else self.privilege)

    async def unpack(self, archive: Path, workspace: Path) -> None:
        """See `StageActions`."""
        await self.trees.unpack(archive, workspace / TREE)

    async def _root(self, workspace: Path) -> Privilege:
        """How to work on the tree in there, which may have been laid over another."""
        laid_over = await self.threads.run(laid, workspace / TREE)
        return within(workspace / TREE, self.privilege) if laid_over else self.privilege
