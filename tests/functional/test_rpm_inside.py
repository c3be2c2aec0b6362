"""The rpm families' own commands in a system that has a real dnf and rpm in it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SkipTest

from imagefactory.lib.errors import BuildFailed
from imagefactory.model.template import Arch, OperatingSystem, Repository, Template, UrlInstall
from imagefactory.systems.engines.interface import RootTree
from imagefactory.systems.families.interface import Release
from imagefactory.systems.families.redhat import FAMILY, sources
from imagefactory.systems.stages.customise import customise
from tests.functional import test_bootstrap
from tests.functional.test_rpm import run

TREE = "http://mirror.example/almalinux/9/BaseOS/x86_64/os/"
ALMA = Release("redhat", "AlmaLinux", "9")

#: dnf, rpm and their kind are in Debian, too; rpm has its database elsewhere there.
PACKAGES = ("systemd-sysv", "network-manager", "dnf", "rpm")
MACROS = "%_dbpath /var/lib/rpm\n%_db_backend sqlite\n"

SPEC = """\
Name: {name}
Version: 1
Release: 1
Summary: A package for tests
License: none
BuildArch: noarch
AutoReqProv: no

%description
Nothing.

%install
mkdir -p %{{buildroot}}/opt
echo {name} > %{{buildroot}}/opt/{name}

%files
/opt/{name}
"""


class RpmInsideTests(test_bootstrap.EngineTestCase):
    """One tree for all, because it takes its time."""

    timeout = 500

    def setUp(self) -> None:
        if os.geteuid() != 0 or shutil.which("rpmbuild") is None or shutil.which("createrepo_c") is None:
            raise SkipTest("needs root, rpmbuild and createrepo_c")
        super().setUp()
        self.www = self.directory / "www"
        for place, name in (("extra", "wanted"), ("install", "installed")):
            self._package(self.www / place, name)
            run("createrepo_c", "--quiet", str(self.www / place))
        self.url = self.serve(self.www)

    def _package(self, place: Path, name: str) -> Path:
        place.mkdir(parents=True)
        spec = self.directory / f"{name}.spec"
        spec.write_text(SPEC.format(name=name))
        define = ("--define", f"_topdir {self.directory}/rpmbuild", "--define", f"_rpmdir {place}")
        run("rpmbuild", "-bb", "--quiet", *define, "--define", "_binary_payload w1.gzdio", str(spec))
        (package,) = place.rglob("*.rpm")
        return package

    async def _tree(self) -> RootTree:
        plan = await self.engine.plan(test_bootstrap.template(), self.report)
        small = replace(plan, bootstrap=replace(plan.bootstrap, packages=PACKAGES))
        base = await self.engine.build(small, self.directory, self.report)
        assert isinstance(base, RootTree)
        (base.path / "etc/rpm").mkdir(parents=True, exist_ok=True)
        (base.path / "etc/rpm/macros.test").write_text(MACROS)
        (base.path / "etc/yum.repos.d").mkdir(parents=True, exist_ok=True)
        installed = FAMILY.bootstrap(self.template(), ALMA, f"{self.url}/install").sources[:1]
        (base.path / FAMILY.sources_file.lstrip("/")).write_text(sources.building(installed, verify=False))
        return base

    def template(self, *packages: str) -> Template:
        """One that adds a repository."""
        os_ = OperatingSystem("AlmaLinux", "9", Arch.X86_64, UrlInstall(TREE))
        extra = Repository("extra", f"{self.url}/extra", signed=False, persisted=False)
        return Template("inside", os_, repositories=(extra,), packages=packages)

    async def test_customising(self) -> None:
        """An old system's database is made of its packages, then a template is customised by the dnf inside."""
        base = await self._tree()
        self._keep(base.path)
        async with self.guest(base) as guest:
            wanted = self.template("wanted")
            packages = await customise(guest, FAMILY, ALMA, wanted, self.report, timeout=200)
            self.assertEqual([one.name for one in packages], ["installed-1-1.noarch", "wanted-1-1.noarch"])
            missing = self.template("no-such-thing")
            error = await self.fails(BuildFailed, customise(guest, FAMILY, ALMA, missing, self.report, timeout=200))
            self.assertIn("no-such-thing", str(error))
        self.assertEqual((base.path / "opt/wanted").read_text(), "wanted\n")
        self.assertFalse((base.path / "opt/installed").exists(), "only its entry in the database is made")
        self.assertFalse((base.path / sources.KEPT.lstrip("/")).exists())

    def _keep(self, tree: Path) -> None:
        """As the engine leaves the packages of an old system."""
        kept = tree / sources.KEPT.lstrip("/")
        kept.mkdir(parents=True)
        (package,) = (self.www / "install").rglob("*.rpm")
        shutil.copy(package, kept)
