"""From a root tree to a bootable raw disk, with files only: no loop device, no mount, no block device."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed
from imagefactory.lib.files.space import free_bytes
from imagefactory.lib.process.interface import Command, Privilege, Processes
from imagefactory.lib.sizes import human_size
from imagefactory.model.report import Report
from imagefactory.systems.disk import grub
from imagefactory.systems.disk.boot_files import GRUB_CFG
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.disk.layout import (
    BLOCK,
    Layout,
    TreeSize,
    fit,
    identity,
    inodes,
    layout,
    partition_table,
    root_uuid,
)
from imagefactory.systems.disk.space import full_disk, no_space
from imagefactory.systems.disk.tools import make
from imagefactory.systems.disk.tree_size import tree_size

# Explicit: neither the host's mke2fs.conf nor a newer mke2fs may bring what GRUB or an old guest cannot read.
_FEATURES = (
    *(
        "none",
        "sparse_super",
        "large_file",
        "filetype",
        "resize_inode",
        "dir_index",
        "ext_attr",
        "has_journal",
        "extent",
    ),
    *("huge_file", "flex_bg", "metadata_csum", "64bit", "dir_nlink", "extra_isize"),
)
# No kernel knows of the file; sfdisk, which would tell it, would first write all dirty data of this host to its disks.
_PARTITION = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")
_FAKE_TIME = "1577836800"  # 2020-01-01: file systems made from the same tree are the same bytes


async def assemble(
    tree: Path,
    disk: Path,
    spec: DiskSpec,
    *,
    processes: Processes,
    privilege: Privilege,
    threads: Threads,
    report: Report,
) -> None:
    """Make `disk`, a raw sparse GPT disk that boots under BIOS and UEFI (aarch64: UEFI), from the files below `tree`.

    The tree holds what `boot_files(spec)` returned. `disk` must not exist; it appears when it is complete, and only
    then. It is not synchronised to stable storage: the store that adopts it does that. Raises InvalidInput,
    Unsupported, MissingTool, BuildFailed (too small, no kernel in the tree), NoSpace, CommandFailed.
    """
    platforms = grub.platforms(spec.arch)
    await threads.run(grub.demand, platforms, grub.MODULES)
    await _demand_kernel(tree, spec, processes, privilege)
    size = await tree_size(tree, processes=processes, privilege=privilege)
    plan = layout(fit(spec.size, size), spec.seed)
    await threads.run(_demand_space, disk, size.bytes)
    workspace = await threads.run(_workspace, disk, size.bytes)
    try:
        work = _Work(workspace, tree, spec, plan, size, processes, privilege, threads)
        report.activity(f"making a disk of {human_size(plan.size)}")
        await work.run(platforms)
        await threads.run(os.rename, work.disk, disk)
    finally:
        await threads.run(shutil.rmtree, workspace, ignore_errors=True)


async def _demand_kernel(tree: Path, spec: DiskSpec, processes: Processes, privilege: Privilege) -> None:
    """What the boot loader will look for has to be there; links are not followed: they may lead out of the tree."""
    script = 'for path; do [ -e "$path" ] || [ -L "$path" ] || { echo "$path is missing"; exit 1; }; done'
    paths = (str(tree) + path for path in (spec.kernel, spec.initrd, GRUB_CFG, "/etc/fstab"))
    argv = privilege.argv("sh", "-c", script, "sh", *paths)
    end = await processes.run(Command(argv, "looking for the kernel"))
    if not end.ok:
        raise BuildFailed(
            f"the system cannot boot: {' '.join(end.tail) or end}",
            where=str(tree),
            hint="a kernel has to be among the packages, and fstab and grub.cfg in the tree",
        )


def _workspace(disk: Path, wanted: int) -> Path:
    with full_disk(disk, wanted):
        return Path(mkdtemp(prefix=f".{disk.name}.", dir=disk.parent))


def _demand_space(disk: Path, wanted: int) -> None:
    if free_bytes(disk) < wanted:
        raise no_space(disk, wanted)


@dataclass(frozen=True, slots=True)
class _Work:
    """One disk being made, in its own directory beside the place where it will appear."""

    workspace: Path
    tree: Path
    spec: DiskSpec
    plan: Layout
    size: TreeSize
    processes: Processes
    privilege: Privilege
    threads: Threads

    @property
    def disk(self) -> Path:
        return self.workspace / "disk.raw"

    async def run(self, platforms: tuple[grub.Platform, ...]) -> None:
        await self.threads.run(self._create)
        await self._call("partitioning", (*_PARTITION, str(self.disk)), self._table())
        async with Scope() as scope:
            scope.start(self._make_root())
            images = {platform: await scope.start(self._make_grub(platform)) for platform in platforms}
        await self._make_esp({platform.efi: path for platform, path in images.items() if platform.efi})
        if grub.BIOS in images:
            await self.threads.run(self._install_bios, images[grub.BIOS])

    def _create(self) -> None:
        with full_disk(self.disk, self.plan.size), self.disk.open("xb") as file:
            file.truncate(self.plan.size)
            (self.workspace / "early.cfg").write_bytes(grub.early_config(root_uuid(self.spec.seed)))

    def _table(self) -> bytes:
        return partition_table(self.plan).encode()

    async def _make_root(self) -> None:
        """mke2fs fills the file system itself; with lazy tables nothing but data and a few maps is written."""
        root = self.plan.root
        extended = ",".join(
            (
                f"offset={root.offset}",
                "lazy_itable_init=1",
                "lazy_journal_init=1",
                "nodiscard",
                "root_owner=0:0",
                f"hash_seed={identity(self.spec.seed, 'directory hashes')}",
            )
        )
        options = ("-q", "-F", "-m", "1", "-b", str(BLOCK), "-I", "256", "-N", str(inodes(root.size, self.size)))
        names = (
            "-O",
            ",".join(_FEATURES),
            "-U",
            str(root_uuid(self.spec.seed)),
            "-L",
            self.spec.label,
            "-E",
            extended,
            "-d",
            str(self.tree),
        )
        argv = ("mkfs.ext4", *options, *names, str(self.disk), f"{root.size // 1024}k")
        await self._call("making the root file system", self.privilege.argv(*argv))

    async def _make_grub(self, platform: grub.Platform) -> Path:
        output = self.workspace / f"{platform.name}.img"
        argv = grub.mkimage(platform, self.workspace / "early.cfg", output, grub.MODULES)
        await self._call(f"making the boot loader for {platform.name}", argv)
        return output

    async def _make_esp(self, loaders: dict[str, Path]) -> None:
        """The EFI system partition: a FAT in the middle of the disk, which mtools reach by an offset."""
        esp = self.plan.esp
        volume = f"{identity(self.spec.seed, 'esp volume').int & 0xFFFFFFFF:08x}"
        fat = ("mkfs.vfat", "--invariant", "-F", "16", "-n", "ESP", "-i", volume, "--offset", str(esp.start))
        await self._call("making the EFI system partition", (*fat, str(self.disk), str(esp.size // 1024)))
        if not loaders:
            return
        image = f"{self.disk}@@{esp.offset}"
        await self._call("filling the EFI system partition", ("mmd", "-i", image, "::/EFI", "::/EFI/BOOT"))
        for name, path in loaders.items():
            await self._call(
                "filling the EFI system partition", ("mcopy", "-i", image, str(path), f"::/EFI/BOOT/{name}")
            )

    def _install_bios(self, image: Path) -> None:
        core = self.plan.bios
        boot = (grub.MODULES / grub.BIOS.name / "boot.img").read_bytes()
        with full_disk(self.disk, core.size), self.disk.open("r+b") as file:
            file.write(grub.boot_sector(boot, core))
            file.seek(core.offset)
            file.write(grub.core_image(image.read_bytes(), core))

    async def _call(self, title: str, argv: tuple[str, ...], stdin: bytes = b"") -> None:
        env = {
            "E2FSPROGS_FAKE_TIME": _FAKE_TIME,
            "SOURCE_DATE_EPOCH": _FAKE_TIME,
            "MTOOLS_SKIP_CHECK": "1",
            "TZ": "UTC",
        }
        command = Command(argv, title, env=env, stdin=stdin)
        await make(command, self.disk, self.size.bytes, processes=self.processes, threads=self.threads)
