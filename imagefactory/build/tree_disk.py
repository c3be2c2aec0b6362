"""The image file of a system that is a root tree: a disk is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from imagefactory.build.actions import BuildContext
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.process.interface import Privilege, Processes
from imagefactory.model.report import Report
from imagefactory.systems.disk.assemble import assemble
from imagefactory.systems.disk.boot_files import boot_files, split_parameters
from imagefactory.systems.disk.convert import convert
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.families.interface import Kernel
from imagefactory.systems.guests.interface import File, Guest
from imagefactory.systems.stages.sealing import kernel

#: Part of the key of every image: to be raised whenever the disk is made in another way.
DISK_VERSION = "1"


@dataclass(slots=True)
class TreeDiskMaker:
    """`DiskMaker` for one root tree.

    Args:
        context: what is built.
        tree: the system.
        scratch: a path (not yet there) for the raw disk, where that is not the image itself.
        seed: ids in the image are drawn from it.
        privilege: how to work on the tree.
        timeout: seconds for one step.
    """

    context: BuildContext
    tree: Path
    scratch: Path
    seed: str
    processes: Processes
    privilege: Privilege
    threads: Threads
    timeout: float
    _spec: DiskSpec | None = field(default=None, init=False)

    async def prepare(self, guest: Guest) -> None:
        """See `DiskMaker`: fstab and the boot loader's configuration."""
        needs = self.context.target.needs(self.context.template)
        found = await kernel(guest, self.context.plan.family, timeout=self.timeout)
        spec = disk_spec(self.context, found, self.seed)
        await guest.put_all([File(*file) for file in boot_files(spec, nofail=needs.fstab_nofail)])
        self._spec = spec

    async def write(self, image: Path, report: Report) -> None:
        """See `DiskMaker`."""
        assert self._spec is not None, "prepare comes first"
        conversion = self.context.target.conversion()
        raw = image if conversion.format == "raw" else self.scratch
        await assemble(
            self.tree,
            raw,
            self._spec,
            processes=self.processes,
            privilege=self.privilege,
            threads=self.threads,
            report=report,
        )
        if raw != image:
            await convert(raw, image, conversion, processes=self.processes, threads=self.threads, report=report)


def disk_spec(context: BuildContext, where: Kernel, seed: str) -> DiskSpec:
    """Returns the disk of `context`; equal seeds give equal file system ids."""
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
