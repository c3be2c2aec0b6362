"""The product's main job: a real Debian from the mirror of this host, for two clouds, booted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest

from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.lib.process.supervise import TwistedProcesses, base_environment
from imagefactory.model.records import Kind
from imagefactory.systems.qemu.boot import BootProof
from imagefactory.systems.qemu.hardware import UEFI, DiskBus, Hardware
from tests.functional.booting import boot
from tests.functional.command import CommandCase

EXAMPLE = Path(__file__).parents[2] / "examples" / "debian-12.tdl"
TARGETS = ("--target", "rhevm", "--target", "vsphere")


class DebianTests(CommandCase):
    """The example of the README."""

    timeout = 900

    def mirrors(self) -> dict[str, str]:
        """None: the example's mirror is that of this host's own apt by itself."""
        return {}

    def test_a_plan_without_a_configuration(self) -> None:
        """The README's first command, as far as it goes in a second."""
        if not _apt_knows_debian():
            raise SkipTest("this host's apt knows no mirror of Debian")
        said = self.command("--plan", "--template", str(EXAMPLE), *TARGETS)
        self.assertIn("base", said.out)

    async def test_the_example(self) -> None:
        """It boots on its clouds' hardware and answers by ssh; a second run is answered from the cache, and what it
        gives boots from NVMe and under UEFI, too."""
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        if not _apt_knows_debian():
            raise SkipTest("this host's apt knows no mirror of Debian")
        done = self.start("--template", str(EXAMPLE), *TARGETS, "--boot_check", "--json").wait(800)
        self.assertEqual(done.status, 0, done.out + done.err)
        self.nothing_left()
        for job in done.document["jobs"]:
            attributes = await self.attributes(Kind.TARGET_IMAGE, job["id"])
            self.assertEqual(attributes["boot_check"], "passed")
            self.assertEqual(attributes["boot_disk"], {"rhevm": "virtio-blk-pci", "vsphere": "pvscsi"}[job["target"]])
            self.assertIn("OpenSSH", attributes["boot_ssh"])
            format = {"rhevm": "qcow2", "vsphere": "vmdk"}[job["target"]]
            body = await self.body(job["id"])
            subprocess.run(["qemu-img", "check", "-f", format, str(body)], check=True, capture_output=True)
            icicle = await self.records(lambda records, id=attributes["icicle"]: records.icicle(id))
            self.assertIn(b"openssh-server", icicle or b"")
        again = self.command("--template", str(EXAMPLE), *TARGETS, "--json").document
        hits = [stage["hit"] for job in again["jobs"] for stage in job["stages"]]
        self.assertEqual(set(hits), {True}, again)
        for hardware in (Hardware(DiskBus.NVME), Hardware(firmware=UEFI)):
            proof = await Deferred.fromCoroutine(self.boot(await self.body(again["jobs"][0]["id"]), hardware))
            self.assertEqual((proof.login, proof.disk, proof.firmware), (True, hardware.disk, hardware.firmware))

    async def boot(self, image: Path, hardware: Hardware) -> BootProof:
        """Boot a qcow2 image on other machines than its target's."""
        from twisted.internet import reactor

        threads = PoolThreads(reactor)
        threads.start()
        scratch = self.directory / "boot"
        scratch.mkdir(exist_ok=True)
        processes = TwistedProcesses(reactor, reactor, base_env=base_environment(scratch, scratch))
        try:
            return await boot(image, "qcow2", hardware, scratch, reactor=reactor, processes=processes, threads=threads)
        finally:
            await threads.stop()


def _apt_knows_debian() -> bool:
    argv = ["apt-get", "indextargets", "--format", "$(ORIGIN)", "Created-By: Packages"]
    try:
        return "Debian" in subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return False
