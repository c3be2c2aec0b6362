"""Trees that become disks, and disks that become machines, with the real tools."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.process.interface import Processes
from imagefactory.model.report import Silence
from imagefactory.systems.disk.assemble import assemble
from imagefactory.systems.disk.boot_files import boot_files
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.disk.layout import MIB
from imagefactory.systems.qemu.accel import Acceleration
from imagefactory.systems.qemu.boot import BootProof, boot_check
from imagefactory.systems.qemu.hardware import Hardware
from imagefactory.systems.qemu.running import Network
from tests.functional.real import RealTestCase

PLAIN = Hardware()


async def boot(
    image: Path,
    format: str,
    hardware: Hardware,
    tmpdir: Path,
    *,
    reactor: Any,
    processes: Processes,
    threads: Threads,
    arch: str = "x86_64",
    ssh: bool = False,
    limit: float = 200.0,
) -> BootProof:
    """Boot an image under emulation."""
    parts: Any = {"processes": processes, "threads": threads, "clock": reactor, "tmpdir": tmpdir}
    return await boot_check(
        image,
        format,
        arch=arch,
        ssh=ssh,
        acceleration=Acceleration("tcg", **parts),
        network=Network.of(reactor),
        limit=limit,
        report=Silence(),
        hardware=hardware,
        **parts,
    )


class BootCase(RealTestCase):
    """Makes a disk of the tree `tree`, and a machine with it."""

    arch = "x86_64"

    @property
    def tree(self) -> Path:
        return self.directory / "tree"

    async def disk(self, *parameters: str, kernel: str = "/vmlinuz", initrd: str = "/initrd.img") -> Path:
        """A disk of the tree, started with these kernel parameters."""
        spec = DiskSpec(self.arch, kernel, initrd, "boot", 256 * MIB, parameters)
        for path, data, _ in boot_files(spec):
            (self.tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / path.lstrip("/")).write_bytes(data)
        disk = self.directory / "disk.raw"
        await assemble(
            self.tree,
            disk,
            spec,
            processes=self.processes,
            privilege=self.privilege,
            threads=self.threads,
            report=Silence(),
        )
        return disk

    async def boot(
        self, image: Path, format: str = "raw", *, ssh: bool = False, hardware: Hardware = PLAIN, limit: float = 100.0
    ) -> BootProof:
        """Boot it."""
        return await boot(
            image,
            format,
            hardware,
            self.directory,
            reactor=self.reactor,
            processes=self.processes,
            threads=self.threads,
            arch=self.arch,
            ssh=ssh,
            limit=limit,
        )

    def nothing_left(self, *names: str) -> None:
        """But these files, once the tree is gone."""
        shutil.rmtree(self.tree)
        self.assertEqual(sorted(path.name for path in self.directory.iterdir()), sorted(names))
