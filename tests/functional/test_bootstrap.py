"""A real Debian tree from the mirror of this host, and what happens when the mirror is not as it should be."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.trial.unittest import SkipTest
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.server import Site
from twisted.web.static import File as Directory

from imagefactory.lib.errors import BuildFailed, Forbidden, Unavailable
from imagefactory.lib.http.guarded import Rules, checked_agent
from imagefactory.lib.http.names import NameResolver
from imagefactory.lib.secret import Secret
from imagefactory.model.report import Silence
from imagefactory.model.template import Arch, GuestFile, Inline, OperatingSystem, Script, Template, UrlInstall
from imagefactory.settings.table import Settings
from imagefactory.systems.engines.bootstrap.engine import BootstrapEngine
from imagefactory.systems.engines.bootstrap.indexes import Indexes
from imagefactory.systems.engines.bootstrap.mirrors import TrustedServers
from imagefactory.systems.engines.interface import EngineContext, RootTree
from imagefactory.systems.guests.chroot import ChrootGuest
from imagefactory.systems.stages.customise import customise
from imagefactory.systems.stages.sealing import kernel, seal
from tests.functional.real import RealTestCase

MIRROR = "http://mirror.example/debian"


class Lines(Silence):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.percent: list[float] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, percent: float) -> None:
        self.percent.append(percent)


class EngineTestCase(RealTestCase):
    """Has an engine with a real client, and a server of its own for bad mirrors."""

    mirrors: dict[str, str] = {MIRROR: "apt:"}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.report = Lines()
        pool = HTTPConnectionPool(self.reactor, persistent=False)
        self.http = HTTPClient(Agent(self.reactor, pool=pool))
        self.engine = self.make_engine(self.mirrors)

    def make_engine(self, mirrors: dict[str, str], keys: tuple[Path, ...] = ()) -> BootstrapEngine:
        settings = Settings(mirrors=mirrors, timeout=300, key_directories=tuple(map(str, keys)))
        context = EngineContext(settings, self.reactor, self.http, self.threads, self.processes, self.privilege)
        return BootstrapEngine(context, indexes=Indexes(self.http, self.reactor, patience=30))

    def serve(self, directory: Path) -> str:
        """The URL at which the files of a directory are served."""
        port = self.reactor.listenTCP(0, Site(Directory(str(directory))), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"http://127.0.0.1:{port.getHost().port}"

    def guest(self, base: Any) -> ChrootGuest:
        assert isinstance(base, RootTree)
        return ChrootGuest(base.path, self.processes, self.privilege)


def template(**parts: Any) -> Template:
    """A Debian 12 template."""
    os_ = OperatingSystem(
        "Debian", "bookworm", Arch.X86_64, UrlInstall(MIRROR), root_password=Secret("only for this test")
    )
    return Template("Test Server", os_, **parts)


class DebianTests(EngineTestCase):
    """The whole way, once."""

    timeout = 400

    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        super().setUp()

    async def test_a_sealed_system(self) -> None:
        """A base is made, customised and sealed; nothing of the build stays in it."""
        wanted = template(
            packages=("openssh-server",),
            files=(GuestFile("/etc/motd", Inline(b"hello\n")),),
            commands=(Script("note", Inline(b"echo noted > /var/lib/noted; echo 'a line'\n")),),
        )
        plan = await self.engine.plan(wanted, self.report)
        self.assertIn("mmdebstrap", plan.inputs["tool"])
        base = await self.engine.build(plan, self.directory, self.report)
        assert isinstance(base, RootTree)
        self.assertEqual(self.report.percent, sorted(self.report.percent))
        self.assertEqual(sum("Generating /boot/initrd" in line for line in self.report.lines), 1)
        async with self.guest(base) as guest:
            packages = await customise(guest, plan.family, plan.release, wanted, self.report, timeout=200)
            found = await kernel(guest, plan.family)
            await seal(guest, plan.family, wanted, self.report)
        self.assertIn("a line", self.report.lines)
        self.assertIn("openssh-server", [one.name for one in packages])
        self.assertTrue((base.path / found.image.lstrip("/")).is_file())
        self.assertTrue((base.path / found.initrd.lstrip("/")).is_file())
        self._check_sealed(base.path)

    def _check_sealed(self, root: Path) -> None:
        self.assertEqual((root / "etc/hostname").read_text(), "test-server\n")
        self.assertEqual((root / "etc/motd").read_text(), "hello\n")
        self.assertEqual((root / "etc/machine-id").read_bytes(), b"")
        self.assertEqual(os.readlink(root / "etc/resolv.conf"), "../run/systemd/resolve/stub-resolv.conf")
        self.assertEqual(list((root / "etc/ssh").glob("ssh_host_*")), [])
        self.assertEqual(list((root / "var/lib/apt/lists").iterdir()), [])
        self.assertFalse((root / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").exists())
        sources = (root / "etc/apt/sources.list").read_text()
        self.assertIn(f"{MIRROR} bookworm main", sources)
        self.assertEqual({line.split()[2].split("/")[2] for line in sources.splitlines()}, {"mirror.example"})
        shadow = (root / "etc/shadow").read_text()
        self.assertTrue(shadow.startswith("root:$y$"), shadow[:10])
        self.assertTrue((root / "etc/systemd/system/ssh.service.wants/ssh-host-keys.service").is_symlink())
        logs = [path for path in (root / "var/log").rglob("*") if path.is_file() and not path.is_symlink()]
        self.assertEqual([path for path in logs if path.stat().st_size], [])

    async def test_a_package_that_does_not_exist(self) -> None:
        """It is named, soon."""
        plan = await self.engine.plan(template(), self.report)
        wrong = replace(plan, bootstrap=replace(plan.bootstrap, packages=("systemd-sysv", "no-such-thing")))
        error = await self.fails(BuildFailed, self.engine.build(wrong, self.directory, self.report))
        self.assertIn("no-such-thing", str(error))
        self.assertTrue(error.hint)


class DaemonTests(EngineTestCase):
    """What a daemon reads, whose clients may name any URL."""

    async def engine_of_a_daemon(self) -> BootstrapEngine:
        """Reads by the rules of a daemon, without any network that an administrator allowed."""
        names = NameResolver(self.reactor)
        names.start()
        self.addCleanup(names.stop)
        rules = Rules(trusts=TrustedServers({}, self.processes).trusts, setting="repository_networks")
        self.http = HTTPClient(checked_agent(self.reactor, names.resolve, rules))
        return self.make_engine({})

    async def test_the_mirror_of_the_host(self) -> None:
        """It is read by its own URL, though its address may be of a private network."""
        real = await self.engine.plan(template(), self.report)
        wanted = template()
        named = UrlInstall(real.bootstrap.sources[0].url)
        engine = await self.engine_of_a_daemon()
        plan = await engine.plan(replace(wanted, os=replace(wanted.os, install=named)), self.report)
        self.assertEqual(plan.bootstrap.sources[0].url, named.url)

    async def test_another_private_server(self) -> None:
        """It is refused, with the line that would allow it."""
        wanted = template()
        engine = await self.engine_of_a_daemon()
        named = UrlInstall(f"{self.serve(self.directory)}/debian")
        error = await self.fails(
            Forbidden, engine.plan(replace(wanted, os=replace(wanted.os, install=named)), self.report)
        )
        self.assertIn('"repository_networks": ["127.0.0.1/32"]', error.hint)


class BadMirrorTests(EngineTestCase):
    """Mirrors that lie or are not there."""

    async def test_a_forged_index(self) -> None:
        """A changed InRelease is a bad signature, and says so."""
        root = self.directory / "www"
        suite = root / "debian/dists/bookworm"
        suite.mkdir(parents=True)
        real = await self.engine.plan(template(), self.report)
        data = await (await self.http.get(real.bootstrap.sources[0].index)).content()
        (suite / "InRelease").write_bytes(data.replace(b"Origin: Debian", b"Origin: Nobody", 1))
        engine = self.make_engine({MIRROR: f"{self.serve(root)}/debian"})
        plan = await engine.plan(template(), self.report)
        self.assertEqual([one.suite for one in plan.bootstrap.sources], ["bookworm"])
        error = await self.fails(BuildFailed, engine.build(plan, self.directory, self.report))
        self.assertIn("bad signature", str(error), self.report.lines)

    async def test_an_empty_mirror(self) -> None:
        """A 404 names the URL and what to do."""
        (self.directory / "www").mkdir()
        engine = self.make_engine({MIRROR: self.serve(self.directory / "www")})
        error = await self.fails(Unavailable, engine.plan(template(), self.report))
        self.assertIn("/dists/bookworm/InRelease", str(error))
        self.assertIn("404", str(error))
        self.assertIn("mirrors", error.hint)

    async def test_no_server(self) -> None:
        """A refused connection likewise."""
        port = self.reactor.listenTCP(0, Site(Directory(str(self.directory))), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        engine = self.make_engine({MIRROR: f"http://127.0.0.1:{number}/debian"})
        error = await self.fails(Unavailable, engine.plan(template(), self.report))
        self.assertIn("refused", str(error))
