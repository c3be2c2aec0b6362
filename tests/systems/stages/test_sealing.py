"""Fulfilling a target's needs, finding the kernel, sealing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed
from imagefactory.model.report import Silence
from imagefactory.model.template import Arch, GuestFile, Inline, OperatingSystem, Repository, Template, UrlInstall
from imagefactory.systems.families.debian import FAMILY, sources
from imagefactory.systems.families.interface import Kernel, Needs, Release
from imagefactory.systems.guests.interface import File
from imagefactory.systems.stages.sealing import fulfil_needs, kernel, seal, sealing_inputs
from imagefactory.targets.interface import cloud_info
from imagefactory.testing.guests import MemoryGuest

ROOT = "http://mirror.example/debian"
TEMPLATE = Template("web", OperatingSystem("Debian", "12", Arch.X86_64, UrlInstall(ROOT)))
BOOKWORM = Release("debian", "Debian", "12", "bookworm")


class SealingTests(SynchronousTestCase):
    """One guest in memory."""

    def setUp(self) -> None:
        self.guest = MemoryGuest()

    def result(self, use: Callable[[], Awaitable[Any]]) -> Any:
        """What `use` returns in the entered guest."""

        async def work() -> Any:
            async with self.guest:
                return await use()

        return self.successResultOf(Deferred.fromCoroutine(work()))

    def seal(self, template: Template = TEMPLATE) -> None:
        self.result(lambda: seal(self.guest, FAMILY, template, Silence()))

    def put(self, *paths: str) -> None:
        for path in paths:
            self.guest.files[path] = File(path, b"x")

    def test_what_two_machines_must_not_share_is_gone(self) -> None:
        """Keys, ids, leases, histories, caches, the builder's resolv.conf."""
        gone = (
            "/etc/ssh/ssh_host_ed25519_key",
            "/var/lib/dhcp/dhclient.eth0.leases",
            "/var/lib/systemd/random-seed",
            "/var/lib/dbus/machine-id",
            "/root/.bash_history",
            "/tmp/.hidden",
            "/var/lib/apt/lists/mirror_InRelease",
            "/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
            "/etc/resolv.conf",
        )
        self.put(*gone, "/etc/ssh/sshd_config", "/root/.bashrc", "/var/log/wtmp")
        self.seal()
        self.assertEqual([path for path in gone if path in self.guest.files], [])
        self.assertIn("/etc/ssh/sshd_config", self.guest.files)
        self.assertIn("/var/log/wtmp", self.guest.files)
        self.assertIn("empty the logs", [ran.title for ran in self.guest.ran])

    def test_the_machine_id_is_empty(self) -> None:
        """Empty, not absent."""
        self.put("/etc/machine-id")
        self.seal()
        self.assertEqual(self.guest.files["/etc/machine-id"], File("/etc/machine-id", b"", 0o444))

    def test_the_template_s_own_resolver_stays(self) -> None:
        """A template that brings resolv.conf means it."""
        self.put("/etc/resolv.conf")
        self.seal(Template("web", TEMPLATE.os, files=(GuestFile("/etc/resolv.conf", Inline(b"x")),)))
        self.assertIn("/etc/resolv.conf", self.guest.files)

    def test_the_mirror_of_the_build_is_forgotten(self) -> None:
        """The sources name the template's URL."""
        text = sources.entries(sources.sources(BOOKWORM, "http://near.example/d"), "").encode()
        self.guest.files[FAMILY.sources_file] = File(FAMILY.sources_file, text)
        self.seal()
        data = self.guest.files[FAMILY.sources_file].data
        self.assertNotIn(b"near.example", data)
        self.assertIn(ROOT.encode(), data)

    def test_the_mirror_of_a_repository_is_forgotten(self) -> None:
        """The template's URL is back, whatever else a command did to the file; one that is gone stays gone."""
        own, gone = (Repository(name, f"deb [trusted=yes] http://r.example/{name} ./") for name in ("a", "b"))
        used = tuple(replace(one, url=one.url.replace("r.example", "near.example/r")) for one in (own, gone))
        path = "/etc/apt/sources.list.d/a.list"
        self.guest.files[path] = File(path, f"# edited\n{used[0].url}\n".encode())
        template = replace(TEMPLATE, repositories=(own, gone))
        self.result(lambda: seal(self.guest, FAMILY, template, Silence(), repositories=used))
        self.assertEqual(self.guest.files[path].data, f"# edited\n{own.url}\n".encode())
        self.assertNotIn("/etc/apt/sources.list.d/b.list", self.guest.files)

    def test_needs(self) -> None:
        """Packages are installed, files written, and the list is read again."""
        self.guest.answer("dpkg-query", "cloud-init\t23\tall\tii ")
        needs = Needs(cloud_init=("Ec2",), files=(cloud_info("ec2"),))
        packages = self.result(lambda: fulfil_needs(self.guest, FAMILY, needs, TEMPLATE, Silence()))
        self.assertEqual([one.name for one in packages], ["cloud-init"])
        self.assertEqual(self.guest.files["/etc/sysconfig/cloud-info"].data, b'CLOUD_TYPE="ec2"\n')
        self.assertTrue(any("install -- cloud-init" in ran.script for ran in self.guest.ran))

    def test_no_needs_cost_nothing(self) -> None:
        """Only the list is read."""
        self.result(lambda: fulfil_needs(self.guest, FAMILY, Needs(), TEMPLATE, Silence()))
        self.assertEqual([ran.title for ran in self.guest.ran], ["list packages"])

    def test_a_command_that_never_ends(self) -> None:
        """Everything that runs in the system has the time limit of a step."""
        self.guest.answer("vmlinu", "/boot/vmlinuz-6", "/boot/initrd.img-6")

        async def work() -> None:
            needs = Needs(cloud_init=("Ec2",), initrd_modules=("nvme",))
            await fulfil_needs(self.guest, FAMILY, needs, TEMPLATE, Silence(), timeout=9)
            await kernel(self.guest, FAMILY, timeout=9)
            await seal(self.guest, FAMILY, TEMPLATE, Silence(), timeout=9)

        self.result(work)
        self.assertGreater(len(self.guest.ran), 4)
        self.assertEqual([ran.title for ran in self.guest.ran if ran.total != 9], [])

    def test_files_of_the_template_stay(self) -> None:
        """What it put where the seal clears away is taken aside first, and nothing else is."""
        names = (
            "/tmp/x/y",
            "/etc/ssh/ssh_host_rsa_key",
            "/var/log/app/x",
            "/var/lib/apt/lists/x",
            "/etc/motd",
            "/tmpx",
        )
        self.seal(Template("web", TEMPLATE.os, files=tuple(GuestFile(name, Inline(b"x")) for name in names)))
        keep, empty, put, *_ = self.guest.ran
        self.assertEqual(empty.title, "empty the logs")
        for name in names[:4]:
            self.assertIn(f"mv {name} /", keep.script)
            self.assertIn(f" {name}; }}", put.script)
        self.assertNotIn("/etc/motd", keep.script)
        self.assertNotIn("/tmpx", keep.script)

    def test_needs_are_inputs(self) -> None:
        """Another file is another key."""
        one, other = (sealing_inputs(Needs(files=(cloud_info(name),)), FAMILY, TEMPLATE) for name in ("ec2", "rhevm"))
        self.assertNotEqual(one, other)

    def test_the_published_url_is_an_input(self) -> None:
        """Two templates may be built from one mirror, and name others in their images."""
        other = replace(TEMPLATE, os=replace(TEMPLATE.os, install=UrlInstall("http://other.example/debian")))
        one, two = (sealing_inputs(Needs(), FAMILY, template) for template in (TEMPLATE, other))
        self.assertEqual([name for name in one if one[name] != two[name]], ["published sources"])

    def test_the_kernel(self) -> None:
        """Two lines are kernel and initrd."""
        self.guest.answer("vmlinu", "/boot/vmlinuz-6", "/boot/initrd.img-6")
        found = self.result(lambda: kernel(self.guest, FAMILY))
        self.assertEqual(found, Kernel("/boot/vmlinuz-6", "/boot/initrd.img-6"))

    def test_no_kernel(self) -> None:
        """A system without one cannot boot, and that is said before a disk is made."""

        async def work() -> None:
            async with self.guest:
                await kernel(self.guest, FAMILY)

        self.failureResultOf(Deferred.fromCoroutine(work()), BuildFailed)
        self.guest.answer("vmlinu", "ls: no such file", code=2)
        self.failureResultOf(Deferred.fromCoroutine(work()), BuildFailed)
