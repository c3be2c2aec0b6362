"""The product's main job: a real Debian from the mirror of this host, for two clouds, booted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

from imagefactory.model.records import Kind
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
        """It boots to its login prompt and answers by ssh; a second run is answered from the cache."""
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
            self.assertIn("OpenSSH", attributes["boot_ssh"])
            format = {"rhevm": "qcow2", "vsphere": "vmdk"}[job["target"]]
            body = await self.body(job["id"])
            subprocess.run(["qemu-img", "check", "-f", format, str(body)], check=True, capture_output=True)
            icicle = await self.records(lambda records, id=attributes["icicle"]: records.icicle(id))
            self.assertIn(b"openssh-server", icicle or b"")
        again = self.command("--template", str(EXAMPLE), *TARGETS, "--json").document
        hits = [stage["hit"] for job in again["jobs"] for stage in job["stages"]]
        self.assertEqual(set(hits), {True}, again)


def _apt_knows_debian() -> bool:
    argv = ["apt-get", "indextargets", "--format", "$(ORIGIN)", "Created-By: Packages"]
    try:
        return "Debian" in subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return False
