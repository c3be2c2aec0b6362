"""An rpm system from a small repository that the test makes: a static busybox, and files that look like a kernel."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SkipTest

from imagefactory.lib.errors import BuildFailed, MissingTool, Unavailable
from imagefactory.model.template import Arch, OperatingSystem, Repository, Template, UrlInstall
from imagefactory.systems.engines.bootstrap.engine import BootstrapPlan
from imagefactory.systems.engines.interface import RootTree
from imagefactory.systems.families.redhat import sources
from imagefactory.systems.stages.sealing import kernel, seal
from tests.functional.test_bootstrap import EngineTestCase

TREE = "http://mirror.example/almalinux/9/BaseOS/x86_64/os/"
KEY = "RPM-GPG-KEY-AlmaLinux-9"

APPLETS = "base64 cat chmod echo find grep head ls mkdir mv printf rm sed sh sort tail touch truncate tr"

SPEC = f"""\
Name: tiny
Version: 1
Release: 1
Summary: A system for tests
License: none
AutoReqProv: no
Provides: /bin/sh

%description
A static busybox.

%install
mkdir -p %{{buildroot}}/bin %{{buildroot}}/boot %{{buildroot}}/etc/yum.repos.d %{{buildroot}}/var/log
mkdir -p %{{buildroot}}/dev %{{buildroot}}/proc %{{buildroot}}/sys %{{buildroot}}/run
mkdir -p %{{buildroot}}/tmp %{{buildroot}}/usr
cp /bin/busybox %{{buildroot}}/bin/busybox
for applet in {APPLETS}; do ln -s busybox %{{buildroot}}/bin/$applet; done
echo kernel > %{{buildroot}}/boot/vmlinuz-1.el9
echo initrd > %{{buildroot}}/boot/initramfs-1.el9.img

%files
/
"""


def run(*argv: str, **environment: str) -> None:
    """Run a program; its output is shown only when it fails."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise AssertionError(f"{argv}: {done.stdout}{done.stderr}")


def is_static() -> bool:
    """Whether the host's busybox needs no library."""
    described = subprocess.run(("ldd", "/bin/busybox"), capture_output=True, text=True, check=False)
    return "not a dynamic executable" in described.stderr + described.stdout


class RpmTests(EngineTestCase):
    """An install tree served by the test."""

    timeout = 120
    mirrors: dict[str, str] = {}  # noqa: RUF012

    def setUp(self) -> None:
        if os.geteuid() != 0 or not is_static():
            raise SkipTest("needs root and busybox-static")
        super().setUp()
        self.www = self.directory / "www"
        self.tree = self.www / "9/BaseOS/x86_64/os"
        self.tree.mkdir(parents=True)
        self.keys = self.directory / "keys"
        self.keys.mkdir()
        self._build_package()
        self.url = f"{self.serve(self.www)}/9/BaseOS/x86_64/os/"
        self.engine = self.make_engine({TREE: self.url}, (self.keys,))

    def _build_package(self) -> None:
        spec = self.directory / "tiny.spec"
        spec.write_text(SPEC)
        top = self.directory / "rpmbuild"
        define = (
            "--define",
            f"_topdir {top}",
            "--define",
            f"_rpmdir {self.tree}",
            "--define",
            "_binary_payload w1.gzdio",
        )
        run("rpmbuild", "-bb", "--quiet", "--target", "x86_64", *define, str(spec))
        (self.package,) = self.tree.rglob("*.rpm")

    def _index(self) -> None:
        run("createrepo_c", "--quiet", str(self.tree))

    def _sign(self, key_file: Path) -> None:
        home = str(self.directory / "gnupg")
        Path(home).mkdir(mode=0o700, exist_ok=True)
        quick = ("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "Test <test@mirror.example>", "rsa2048")
        run(*quick, GNUPGHOME=home)
        run("gpg", "--batch", "--armor", "--output", str(key_file), "--export", GNUPGHOME=home)
        define = ("--define", "_gpg_name test@mirror.example", "--define", "__gpg /usr/bin/gpg")
        run("rpmsign", *define, "--addsign", str(self.package), GNUPGHOME=home)
        run("gpgconf", "--kill", "gpg-agent", GNUPGHOME=home)

    def template(self, *, signed: bool) -> Template:
        """A template that lists its own tree, and says whether it is signed."""
        os_ = OperatingSystem("AlmaLinux", "9", Arch.X86_64, UrlInstall(TREE))
        return Template("tiny", os_, repositories=(Repository("tree", TREE, signed=signed),))

    async def plan(self, *packages: str, signed: bool = False) -> BootstrapPlan:
        """A plan for the small system instead of a whole one."""
        plan = await self.engine.plan(self.template(signed=signed), self.report)
        return replace(plan, bootstrap=replace(plan.bootstrap, packages=packages or ("tiny",)))

    async def test_a_sealed_system(self) -> None:
        """A tree is made by dnf, entered, and sealed: it names the template's tree, not the mirror."""
        self._index()
        plan = await self.plan()
        self.assertEqual([one.suite for one in plan.bootstrap.sources], ["base"])
        self.assertTrue(any("AppStream" in line for line in self.report.lines))
        base = await self.engine.build(plan, self.directory, self.report)
        assert isinstance(base, RootTree)
        self.assertEqual(list(base.path.rglob("rpmdb.sqlite")), [base.path / "var/lib/rpm/rpmdb.sqlite"])
        self.assertEqual(list(base.path.glob("tmp/*")) + list(base.path.glob("var/cache/dnf/*")), [])
        async with self.guest(base) as guest:
            self.assertEqual(await guest.get("/etc/yum.repos.d/imagefactory-install.repo") is not None, True)
            found = await kernel(guest, plan.family)
            await seal(guest, plan.family, self.template(signed=False), self.report)
        self.assertEqual((found.image, found.initrd), ("/boot/vmlinuz-1.el9", "/boot/initramfs-1.el9.img"))
        self.assertIn(
            f"baseurl={TREE.rstrip('/')}\n", (base.path / "etc/yum.repos.d/imagefactory-install.repo").read_text()
        )
        self.assertFalse((self.directory / "packages").exists())

    async def test_packages_are_kept_for_an_old_rpm(self) -> None:
        """They and the key are in the tree of a release whose rpm cannot read the database; downloads are gone."""
        self._sign(self.keys / KEY)
        self._index()
        plan = await self.plan(signed=True)
        bootstrap = replace(plan.bootstrap, release=replace(plan.release, version="8"))
        base = await self.engine.build(replace(plan, bootstrap=bootstrap), self.directory, self.report)
        assert isinstance(base, RootTree)
        kept = sorted(path.name for path in (base.path / sources.KEPT.lstrip("/")).iterdir())
        self.assertEqual(kept, [f"{KEY}.key", self.package.name])
        self.assertFalse((self.directory / "packages").exists())

    async def test_a_package_that_does_not_exist(self) -> None:
        """It is named."""
        self._index()
        plan = await self.plan("tiny", "no-such-thing")
        error = await self.fails(BuildFailed, self.engine.build(plan, self.directory, self.report))
        self.assertIn("no-such-thing", str(error))

    async def test_a_signed_tree(self) -> None:
        """With the right key it is taken."""
        self._sign(self.keys / KEY)
        self._index()
        base = await self.engine.build(await self.plan(signed=True), self.directory, self.report)
        assert isinstance(base, RootTree)
        self.assertTrue((base.path / "bin/busybox").exists())

    async def test_an_unsigned_package(self) -> None:
        """A package without a signature is refused where signatures count."""
        self._sign(self.keys / KEY)
        run("rpmsign", "--delsign", str(self.package))
        self._index()
        plan = await self.plan(signed=True)
        error = await self.fails(BuildFailed, self.engine.build(plan, self.directory, self.report))
        self.assertIn("bad signature", str(error), "\n".join(self.report.lines))

    async def test_no_key(self) -> None:
        """A host that cannot verify says what it lacks, before anything is fetched."""
        error = await self.fails(MissingTool, self.engine.plan(self.template(signed=True), self.report))
        self.assertIn("AlmaLinux 9", str(error))
        self.assertIn("distribution-gpg-keys", error.hint)

    async def test_no_tree(self) -> None:
        """A directory without repodata is no install tree."""
        error = await self.fails(Unavailable, self.engine.plan(self.template(signed=False), self.report))
        self.assertIn("repodata/repomd.xml", str(error))
