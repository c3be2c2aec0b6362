"""Building with the command: what comes out, and what is not done twice."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from lxml import etree

from imagefactory.model.records import Kind
from tests.functional.command import CommandCase
from tests.functional.tinyos import template

FORMATS = {
    "rhevm": "qcow2",
    "vsphere": "vmdk",
    "condorcloud": "raw",
    "rackspace": "vpc",
    "openstack-kvm": "qcow2",
    "ec2": "raw",
}
CHECKED = ("qcow2", "vmdk")
"""Formats that qemu-img can check."""


def stages(job: dict[str, Any]) -> dict[str, bool]:
    """Which stages of a job of the result document were hits."""
    return {stage["stage"]: stage["hit"] for stage in job["stages"]}


class AllTargetsTests(CommandCase):
    """One template, all clouds."""

    async def test_everything_at_once(self) -> None:
        """Each target gets its format and its records; the base is made once; a second run makes nothing."""
        targets = [word for name in ("mock", *FORMATS) for word in ("--target", name)]
        tdl = self.file(template(packages=("hello",), commands=("echo noted > /opt/noted",), size="96M"))
        first = self.command("--template", tdl, "--json", *targets).document
        self.nothing_left()
        jobs = {job["target"]: job for job in first["jobs"]}
        self.assertEqual({job["status"] for job in jobs.values()}, {"COMPLETED"})
        self.assertEqual([*jobs], ["mock", *FORMATS])
        for target, format in FORMATS.items():
            await self._check_image(jobs[target], format)
        self.assertIn(b":name: ", (await self.body(jobs["mock"]["id"])).read_bytes())
        await self._check_records(first)
        again = self.command("--template", tdl, "--json", *targets).document
        self.assertEqual({hit for job in again["jobs"] for hit in stages(job).values()}, {True})
        self.assertEqual({job["status"] for job in again["jobs"]}, {"COMPLETED"})

    async def _check_image(self, job: dict[str, Any], format: str) -> None:
        body = await self.body(job["id"])
        self.assertEqual(body.stat().st_size, job["size"])
        info = json.loads(_qemu_img("info", "--output=json", "-f", format, str(body)))
        self.assertEqual(info["virtual-size"], 96 << 20, job["target"])
        self.assertLess(info["actual-size"], 96 << 20)
        if format in CHECKED:
            _qemu_img("check", "-f", format, str(body))
        raw = self.directory / "raw"
        _qemu_img("convert", "-f", format, "-O", "raw", str(body), str(raw))
        root = self.directory / "tree"
        table = json.loads(subprocess.check_output(["sfdisk", "--json", raw]))["partitiontable"]
        (start,) = (one["start"] for one in table["partitions"] if one.get("name") == "root")
        root.write_bytes(raw.read_bytes()[start * 512 :])
        self.assertEqual(_read(root, "/opt/noted"), "noted\n")
        self.assertEqual(_read(root, "/etc/motd"), "hello")
        self.assertIn(f'CLOUD_TYPE="{job["target"]}"', _read(root, "/etc/sysconfig/cloud-info"))
        self.assertEqual(_read(root, "/etc/machine-id"), "")
        self.assertNotIn("127.0.0.1:", _read(root, "/etc/yum.repos.d/imagefactory-install.repo"))

    async def _check_records(self, document: dict[str, Any]) -> None:
        image, build = document["image"], document["build"]
        job = document["jobs"][1]
        attributes = await self.attributes(Kind.TARGET_IMAGE, job["id"])
        self.assertEqual((attributes["build"], attributes["target"]), (build, "rhevm"))
        self.assertIn("<domain", attributes["target_parameters"])
        self.assertEqual((await self.attributes(Kind.BUILD, build))["image"], image)
        known = await self.attributes(Kind.IMAGE, image)
        self.assertEqual((known["latest_unpushed"], "latest_build" in known), (build, False))
        tdl = await self.records(lambda records: records.template(attributes["template"]))
        assert tdl is not None
        self.assertIn(b"<name>tiny</name>", tdl)
        icicle = await self.records(lambda records: records.icicle(attributes["icicle"]))
        assert icicle is not None
        packages = etree.fromstring(icicle).findall("packages/package")
        self.assertEqual([one.get("name") for one in packages], ["hello-1-1.noarch", "tiny-1-1.x86_64"])


class AgainTests(CommandCase):
    """Building once more."""

    async def test_plain_lines_and_a_rebuild(self) -> None:
        """The messages of 1.0, a result line; with the image's id alone the same targets and template are taken."""
        tdl = self.file(template(size="96M"))
        done = self.command("--template", tdl, "--target", "rhevm", "--target", "condorcloud")
        first, second, *_ = done.out.splitlines()
        self.assertRegex(first, "^Building build [0-9a-f-]{36} of image [0-9a-f-]{36} to target rhevm$")
        self.assertRegex(second, "^Building build .* to target condorcloud$")
        self.assertRegex(done.out, r"(?m)^rhevm: COMPLETED target image [0-9a-f-]{36} of build .*MiB, [0-9.]+ s$")
        image, build = first.split()[5], first.split()[2]
        self.assertEqual(done.err, "")
        again = self.command("--image", image, "--json").document
        self.assertEqual({job["target"] for job in again["jobs"]}, {"rhevm", "condorcloud"})
        self.assertEqual(again["image"], image)
        self.assertNotEqual(again["build"], build)
        self.assertEqual((await self.attributes(Kind.IMAGE, image))["latest_unpushed"], again["build"])
        old = (await self.attributes(Kind.TARGET_IMAGE, _id(done.out, "rhevm")))["template"]
        new = (await self.attributes(Kind.TARGET_IMAGE, again["jobs"][0]["id"]))["template"]
        self.assertEqual(new, old)
        self.nothing_left()

    def test_one_package_more(self) -> None:
        """The base is a hit; customising is a miss that names what changed; the plan says the same before."""
        tdl = self.file(template(size="96M"))
        planned = self.command("--plan", "--template", tdl, "--target", "rhevm")
        self.assertEqual(planned.out.count("MISS (nothing cached)"), 3, planned.out)
        self.assertFalse((self.state / "cache/base").exists() and any((self.state / "cache/base").iterdir()))
        self.command("--template", tdl, "--target", "rhevm")
        more = self.file(template(size="96M", packages=("hello",)), "more.tdl")
        planned = self.command("--plan", "--template", more, "--target", "rhevm")
        built = self.command("--template", more, "--target", "rhevm")
        for done in (planned, built):
            self.assertRegex(done.out, r"(?m)^rhevm: base [0-9a-f]{12} HIT$")
            self.assertRegex(done.out, r"(?m)^rhevm: customise [0-9a-f]{12} MISS \(changed: packages\)$")
        document = self.command("--plan", "--json", "--template", more, "--target", "rhevm").document
        self.assertEqual([stage["hit"] for stage in document["plan"]["rhevm"]], [True, True, True])
        wrong = self.command("--plan", "--template", "<template/>", "--target", "rhevm", status=2)
        self.assertIn("line 1", wrong.err)
        self.nothing_left()

    async def test_a_boot_that_is_proved(self) -> None:
        """The image is booted to its login prompt and ssh banner; the warehouse knows."""
        tdl = self.file(template(packages=("openssh-server",), size="96M"))
        done = self.command("--template", tdl, "--target", "rhevm", "--boot_check", "--json")
        attributes = await self.attributes(Kind.TARGET_IMAGE, done.document["jobs"][0]["id"])
        self.assertEqual(attributes["boot_check"], "passed")
        self.assertGreater(float(attributes["boot_seconds"]), 0)
        self.assertEqual(attributes["boot_ssh"], "SSH-2.0-tiny")
        self.nothing_left()


def _id(out: str, target: str) -> str:
    (line,) = (line for line in out.splitlines() if line.startswith(f"{target}: COMPLETED"))
    return line.split()[4]


def _qemu_img(*argv: str) -> str:
    return subprocess.run(["qemu-img", *argv], check=True, capture_output=True, text=True).stdout


def _read(file_system: Path, path: str) -> str:
    argv = ["debugfs", "-R", f"cat {path}", str(file_system)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
