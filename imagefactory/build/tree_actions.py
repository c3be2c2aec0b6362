"""The hand work of the stages on a root tree, through a chroot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from imagefactory.build.actions import BuildContext
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed
from imagefactory.lib.process.interface import Privilege, Processes
from imagefactory.lib.process.layers import laid, lay, within
from imagefactory.model.icicle import PackageInfo, render_icicle
from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.systems.disk.assemble import assemble
from imagefactory.systems.disk.boot_files import boot_files, demand_parameters, split_parameters
from imagefactory.systems.disk.convert import convert
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.disk.layout import demand_size
from imagefactory.systems.engines.interface import Engine, RootTree
from imagefactory.systems.families.interface import Kernel
from imagefactory.systems.guests.interface import File, Guest
from imagefactory.systems.stages.customise import customise
from imagefactory.systems.stages.sealing import fulfil_needs, kernel, seal
from imagefactory.systems.stages.trees import Trees
from imagefactory.targets.interface import Target

#: Part of the key of every image: to be raised whenever the disk is made in another way.
RECIPE = "1"

#: Where in a room the tree is; the engine puts it there.
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

    async def base(self, piece: BuildContext, room: Path, report: Report) -> None:
        """See `StageActions`."""
        made = await self.engine.build(piece.plan, room, report)
        if made != RootTree(room / TREE):
            raise BuildFailed(f"engine {self.engine.name} made no tree that could be customised here")

    async def customise(self, piece: BuildContext, room: Path, report: Report) -> bytes:
        """See `StageActions`."""
        plan = piece.plan
        template = replace(piece.template, repositories=plan.repositories)
        async with self.guest(room / TREE, self.privilege) as guest:
            packages = await customise(guest, plan.family, plan.release, template, report, timeout=self.timeout)
        return _icicle(piece, packages)

    async def lay(self, below: Path, room: Path) -> bool:
        """See `StageActions`."""
        return await lay(below / TREE, room / TREE, self.processes, self.privilege)

    async def adapt(self, piece: BuildContext, room: Path, image: Path, seed: str, report: Report) -> bytes:
        """See `StageActions`."""
        family, template = piece.plan.family, piece.template
        needs = piece.target.needs(template)
        async with self.guest(room / TREE, await self._root(room)) as guest:
            packages = await fulfil_needs(guest, family, needs, template, report, timeout=self.timeout)
            spec = disk_spec(piece, await kernel(guest, family, timeout=self.timeout), seed)
            await guest.put_all([File(*file) for file in boot_files(spec, nofail=needs.fstab_nofail)])
            await seal(guest, family, template, report, repositories=piece.plan.repositories, timeout=self.timeout)
        await self._image(piece, room, image, spec, report)
        return _icicle(piece, packages)

    async def pack(self, room: Path, archive: Path) -> None:
        """See `StageActions`."""
        await self.trees.pack(room / TREE, archive)

    async def unpack(self, archive: Path, room: Path) -> None:
        """See `StageActions`."""
        await self.trees.unpack(archive, room / TREE)

    async def _root(self, room: Path) -> Privilege:
        """How to work on the tree in there, which may have been laid over another."""
        laid_over = await self.threads.run(laid, room / TREE)
        return within(room / TREE, self.privilege) if laid_over else self.privilege

    async def _image(self, piece: BuildContext, room: Path, image: Path, spec: DiskSpec, report: Report) -> None:
        conversion = piece.target.conversion()
        raw = image if conversion.format == "raw" else room / "disk"
        await assemble(
            room / TREE,
            raw,
            spec,
            processes=self.processes,
            privilege=await self._root(room),
            threads=self.threads,
            report=report,
        )
        if raw != image:
            await convert(raw, image, conversion, processes=self.processes, threads=self.threads, report=report)


def demand_disk(template: Template, target: Target) -> None:
    """Raise InvalidInput if no such disk can be made, or the target takes none."""
    demand_parameters(template.os.kernel_parameters)
    if template.disk_size is not None:
        demand_size(template.disk_size, target.largest_disk, target.name)


def disk_inputs(piece: BuildContext) -> Mapping[str, str]:
    """What the disk and its file depend on besides the sealed system, by name, for the stage key."""
    return {
        "disk": RECIPE,
        "target": piece.target.name,
        "conversion": repr(piece.target.conversion()),
        "disk size": str(piece.template.disk_size),
        "kernel parameters": piece.template.os.kernel_parameters,
    }


def disk_spec(piece: BuildContext, where: Kernel, seed: str) -> DiskSpec:
    """The disk of `piece`; equal seeds give equal file system ids."""
    needs = piece.target.needs(piece.template)
    names = () if needs.predictable_names else ("net.ifnames=0",)
    parameters = (*names, *needs.kernel_parameters, *split_parameters(piece.template.os.kernel_parameters))
    return DiskSpec(
        piece.template.os.arch.value,
        where.image,
        where.initrd,
        seed,
        piece.template.disk_size,
        tuple(dict.fromkeys(parameters)),
    )


def _icicle(piece: BuildContext, packages: tuple[PackageInfo, ...]) -> bytes:
    return render_icicle(piece.template.description, packages)
