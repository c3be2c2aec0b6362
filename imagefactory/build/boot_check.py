"""The proof that a finished image boots, as a step of a build."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagefactory.build.actions import BuildContext
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.process.interface import Processes
from imagefactory.model.icicle import parse_icicle
from imagefactory.model.report import Report
from imagefactory.systems.qemu.accel import Acceleration
from imagefactory.systems.qemu.boot import boot_check
from imagefactory.systems.qemu.running import Network

#: The package with the SSH server, in all families; those of rpm have version and architecture behind the name.
SSH_SERVER = re.compile(r"openssh-server(-\d.*)?")


def serves_ssh(icicle: bytes) -> bool:
    """Returns whether an SSH server is among the packages."""
    return any(SSH_SERVER.fullmatch(package.name) for package in parse_icicle(icicle).packages)


@dataclass(frozen=True, slots=True)
class BootCheck:
    """Boots images under qemu; `limit` is seconds for one."""

    acceleration: Acceleration
    processes: Processes
    threads: Threads
    clock: Clock
    network: Network
    tmpdir: Path
    limit: float

    async def prove(self, image: Path, piece: BuildContext, icicle: bytes, report: Report) -> Mapping[str, str]:
        """Boot the image, which is not changed; returns attributes for its record.

        Raises CommandFailed with the last lines of the serial port if it does not boot.
        """
        proof = await boot_check(
            image,
            piece.target.conversion().format,
            arch=piece.template.os.arch.value,
            ssh=serves_ssh(icicle),
            acceleration=self.acceleration,
            processes=self.processes,
            threads=self.threads,
            clock=self.clock,
            network=self.network,
            tmpdir=self.tmpdir,
            limit=self.limit,
            report=report,
            hardware=piece.target.hardware,
        )
        return {
            "boot_check": "passed",
            "boot_seconds": f"{proof.seconds:.1f}",
            "boot_firmware": proof.firmware,
            "boot_disk": proof.disk.value,
            "boot_acceleration": proof.accel,
            **({"boot_ssh": proof.ssh_banner} if proof.ssh_banner else {}),
        }
