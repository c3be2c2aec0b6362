"""What the stages do to a root tree, through a chroot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from imagefactory.build.actions import BuildContext
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed
from imagefactory.lib.process.interface import Privilege, Processes
from imagefactory.lib.process.layers import can_lay, frozen, laid, lay, within
from imagefactory.model.icicle import PackageInfo, render_icicle
from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.systems.disk.assemble import assemble
from imagefactory.systems.disk.boot_files import boot_files, demand_parameters, split_parameters
from imagefactory.systems.disk.convert import convert
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.disk.layout import demand_size
from imagefactory.systems.disk.tree_size import allocated
from imagefactory.systems.engines.interface import Engine, RootTree
from imagefactory.systems.families.interface import Kernel
from imagefactory.systems.guests.interface import File, Guest
from imagefactory.systems.stages.customise import customise
from imagefactory.systems.stages.sealing import fulfil_needs, kernel, seal
from imagefactory.systems.stages.trees import Trees
from imagefactory.targets.interface import Target

#: Part of the key of every image: to be raised whenever the disk is made in another way.
DISK_VERSION = "1"

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
        plan = context.plan
        template = replace(context.template, repositories=plan.repositories)
        async with self.guest(workspace / TREE, await self._root(workspace)) as guest:
            packages = await customise(guest, plan.family, plan.release, template, report, timeout=self.timeout)
        return _icicle(context, packages)

    async def can_overlay(self, workspace: Path) -> bool:
        """See `StageActions`."""
        return await can_lay(workspace, self.processes, self.privilege)

    async def lay(self, below: Path, workspace: Path) -> None:
        """See `StageActions`."""
        await lay(below / TREE, workspace / TREE, self.processes, self.privilege)

    async def adapt(self, context: BuildContext, workspace: Path, image: Path, seed: str, report: Report) -> bytes:
        """See `StageActions`."""
        family, template = context.plan.family, context.template
        needs = context.target.needs(template)
        async with self.guest(workspace / TREE, await self._root(workspace)) as guest:
            packages = await fulfil_needs(guest, family, needs, template, report, timeout=self.timeout)
            spec = disk_spec(context, await kernel(guest, family, timeout=self.timeout), seed)
            await guest.put_all([File(*file) for file in boot_files(spec, nofail=needs.fstab_nofail)])
            await seal(guest, family, template, report, repositories=context.plan.repositories, timeout=self.timeout)
        await self._image(context, workspace, image, spec, report)
        return _icicle(context, packages)

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

    async def _image(self, context: BuildContext, workspace: Path, image: Path, spec: DiskSpec, report: Report) -> None:
        conversion = context.target.conversion()
        raw = image if conversion.format == "raw" else workspace / "disk"
        await assemble(
            workspace / TREE,
            raw,
            spec,
            processes=self.processes,
            privilege=await self._root(workspace),
            threads=self.threads,
            report=report,
        )
        if raw != image:
            await convert(raw, image, conversion, processes=self.processes, threads=self.threads, report=report)


def disk_spec(context: BuildContext, where: Kernel, seed: str) -> DiskSpec:
    """The disk of `context`; equal seeds give equal file system ids."""
    needs = context.target.needs(context.template)
    names = () if needs.predictable_names else ("net.ifnames=0",)
    parameters = (*names, *needs.kernel_parameters, *split_parameters(context.template.os.kernel_parameters))
    return DiskSpec(
        context.template.os.arch.value,
        where.image,
        where.initrd,
        seed,
        context.template.disk_size,
        tuple(dict.fromkeys(parameters)),
    )


def _icicle(context: BuildContext, packages: tuple[PackageInfo, ...]) -> bytes:
    return render_icicle(context.template.description, packages)
