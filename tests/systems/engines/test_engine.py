"""Planning and building a base with scripted tools and a scripted mirror."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from imagefactory.lib.errors import (
    BuildFailed,
    CommandFailed,
    InvalidInput,
    MissingTool,
    TooLarge,
    Unavailable,
    Unsupported,
)
from imagefactory.lib.process.interface import Privilege
from imagefactory.model.report import Silence
from imagefactory.model.template import Arch, IsoInstall, OperatingSystem, Repository, Template, UrlInstall
from imagefactory.settings.table import Settings
from imagefactory.systems.engines.bootstrap.engine import BootstrapEngine
from imagefactory.systems.engines.bootstrap.hosts import Hosts
from imagefactory.systems.engines.bootstrap.indexes import Indexes
from imagefactory.systems.engines.interface import EngineContext, RootTree
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

ROOT = "http://mirror.example/debian"
INDEX = f"{ROOT}/dists/bookworm/InRelease"
PROGRAM = b"#!/bin/sh\n"
URIS = "apt-get update --print-uris"
NEAR = "'http://near.example/d/dists/bookworm/InRelease' near.example_d_dists_bookworm_InRelease 0 "


@dataclass
class Response:
    """As much of a response as treq reads."""

    code: int
    body: bytes = b""
    length: int = 1
    previousResponse: None = None  # noqa: N815

    def deliverBody(self, protocol: Any) -> None:  # noqa: N802
        protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ResponseDone()))


@dataclass
class Http:
    """Replies as it was told, 404 otherwise."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    silent: bool = False
    refused: bool = False
    asked: list[str] = field(default_factory=list)

    def get(self, url: str) -> Deferred[Any]:
        self.asked.append(url)
        if self.silent:
            return Deferred()
        if self.refused:
            return fail(ConnectionRefusedError("refused"))
        body = self.bodies.get(url)
        return succeed(Response(404) if body is None else Response(200, body))


SECRET_ROOT = "http://me:hush@mirror.example/debian"


class Heard(Silence):
    """Keeps lines and percents."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.percents: list[float] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, percent: float) -> None:
        self.percents.append(percent)


class EngineTestCase(SynchronousTestCase):
    """An engine whose keyring is a file of ours."""

    def setUp(self) -> None:
        self.processes = ScriptedProcesses.of(self)
        self.http = Http({INDEX: b"the index"})
        self.clock = Clock()
        self.report = Heard()
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        self.program = self.directory / "mmdebstrap"
        self.program.write_bytes(PROGRAM)
        self.program.chmod(0o755)
        self.engine = self.make_engine()

    def make_engine(self, mirrors: dict[str, str] | None = None) -> BootstrapEngine:
        settings = Settings(mirrors=mirrors or {}, key_directories=(str(self.directory),))
        context = EngineContext(
            settings, self.clock, self.http, ImmediateThreads(), self.processes, Privilege(("enter",))
        )
        indexes = Indexes(self.http, self.clock, patience=10, limit=1000)
        return BootstrapEngine(context, indexes=indexes, hosts=Hosts("x86_64"), path=str(self.directory))

    def template(self, arch: Arch = Arch.X86_64) -> Template:
        """By default one that trusts its mirror, because the host of a test may have no keyring."""
        trust = (Repository("t", f"deb [trusted=yes] {ROOT} bookworm main"),)
        os = OperatingSystem("Debian", "12", arch, UrlInstall(ROOT))
        return Template("t", os, repositories=trust)

    def plan(self, template: Template | None = None) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.engine.plan(template or self.template(), self.report))

    def planned(self) -> Any:
        return self.successResultOf(self.plan())


class PlanTests(EngineTestCase):
    """What shapes a base."""

    def test_users_in_urls(self) -> None:
        """They are refused at once and not shown, unless an administrator sends the build elsewhere."""
        install = replace(self.template(), os=replace(self.template().os, install=UrlInstall(SECRET_ROOT)))
        repository = replace(self.template(), repositories=(Repository("r", f"deb {SECRET_ROOT} bookworm main"),))
        for template in (install, repository):
            error = self.assertRaises(Unsupported, self.engine.check, template)
            self.assertNotIn("hush", f"{error} {error.hint}")
        self.engine = self.make_engine({SECRET_ROOT: ROOT})
        for template in (install, repository):
            self.engine.check(template)

    def test_inputs(self) -> None:
        """OS, packages, tool and the digest of each index; a suite that the mirror lacks is left out, aloud."""
        plan = self.planned()
        self.assertEqual(plan.inputs["tool"], f"mmdebstrap {sha256(PROGRAM).hexdigest()}")
        self.assertEqual(plan.inputs["version"], "12")
        self.assertEqual(plan.inputs["signatures"], "not verified")
        self.assertEqual([one.suite for one in plan.bootstrap.sources], ["bookworm"])
        self.assertEqual(len([name for name in plan.inputs if name.startswith("index ")]), 1)
        self.assertEqual(len([line for line in self.report.lines if "left out" in line]), 2)

    def test_a_new_index_is_a_new_base(self) -> None:
        """Only the digest tells, and it does."""
        before = self.planned().inputs
        self.http.bodies[INDEX] = b"a newer index"
        self.assertNotEqual(self.planned().inputs, before)

    def test_another_tool_is_another_base(self) -> None:
        """Its own bytes tell, whatever it says of its version; where there is none, its package is named."""
        before = self.planned().inputs
        self.program.write_bytes(PROGRAM + b"# repaired")
        self.assertNotEqual(self.planned().inputs["tool"], before["tool"])
        self.program.unlink()
        self.assertEqual(self.failureResultOf(self.plan(), MissingTool).value.hint, "apt-get install mmdebstrap")

    def test_the_host_s_mirror(self) -> None:
        """`apt:` asks the host's apt: its sources first, which is quick, then its lists."""
        self.engine = self.make_engine({ROOT: "apt:"})
        self.http.bodies = {"http://near.example/d/dists/bookworm/InRelease": b"x"}
        self.processes.expect(URIS, lines=[NEAR])
        self.assertEqual(self.planned().bootstrap.sources[0].url, "http://near.example/d")
        self.processes.expect(URIS)
        self.processes.expect("apt-get indextargets", lines=["http://near.example/d\ttrixie\tDebian"])
        self.assertEqual(self.planned().bootstrap.sources[0].url, "http://near.example/d")

    def test_a_host_without_apt(self) -> None:
        """There is nothing to install: it is said what to set."""

        def absent(_: object) -> None:
            raise MissingTool("the program apt-get is not installed", hint="apt-get install apt")

        self.engine = self.make_engine({ROOT: "apt:"})
        self.processes.expect(URIS, effect=absent)
        error = self.failureResultOf(self.plan(), Unavailable).value
        self.assertIn(f'"mirrors": {{"{ROOT}": ', error.hint)

    def test_a_missing_keyring(self) -> None:
        """It is found by its name below our directory, and its package is named when it is not there."""
        template = replace(
            self.template(),
            os=OperatingSystem("AlmaLinux", "9", Arch.X86_64, UrlInstall("http://m.example/BaseOS/os")),
            repositories=(),
        )
        self.processes.expect("dnf --version")
        error = self.failureResultOf(self.plan(template), MissingTool).value
        self.assertIn("distribution-gpg-keys", error.hint)
        self.assertIn(f"below {self.directory} ", error.hint)
        self.assertIn("RPM-GPG-KEY-AlmaLinux-9", error.where)

    def test_a_mirror_without_the_release(self) -> None:
        """404 names the URL and what to do."""
        self.http.bodies = {}
        error = self.failureResultOf(self.plan(), Unavailable).value
        self.assertEqual(str(error), f"{INDEX}: the mirror answers 404")
        self.assertIn("mirrors", error.hint)

    def test_a_silent_mirror(self) -> None:
        """It is given up after its time, on the clock."""
        self.http.silent = True
        waiting = self.plan()
        self.assertNoResult(waiting)
        self.clock.advance(10)
        self.assertIn("no answer in 10 seconds", str(self.failureResultOf(waiting, Unavailable).value))

    def test_all_at_once(self) -> None:
        """A mirror that takes its time is asked for all indexes before the first has come; cancelling ends all."""
        self.http.silent = True
        waiting = self.plan()
        self.assertEqual(len(self.http.asked), 4)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_refused_connection(self) -> None:
        """The cause is told."""
        self.http.refused = True
        self.assertIn("refused", str(self.failureResultOf(self.plan(), Unavailable).value))

    def test_an_endless_index(self) -> None:
        """Reading stops at the limit."""
        self.http.bodies[INDEX] = b"x" * 1001
        self.failureResultOf(self.plan(), TooLarge)


class RepositoryTests(EngineTestCase):
    """What a template adds to its base."""

    def with_repository(self, url: str) -> Template:
        template = self.template()
        return replace(template, repositories=(*template.repositories, Repository("extra", url)))

    def plan_with(self, url: str) -> Any:
        return self.successResultOf(self.plan(self.with_repository(url)))

    def test_its_index_tells_and_leaves_the_base_alone(self) -> None:
        """A new index in the repository changes what is said of it, and nothing in the base's key."""
        url, index = "deb http://r.example/d stable main", "http://r.example/d/dists/stable/InRelease"
        self.http.bodies[index] = b"old"
        before = self.plan_with(url)
        self.http.bodies[index] = b"new"
        after = self.plan_with(url)
        self.assertEqual(before.inputs, after.inputs)
        self.assertEqual(before.repository_indexes["t"], after.repository_indexes["t"])
        self.assertNotEqual(before.repository_indexes["extra"], after.repository_indexes["extra"])
        self.assertEqual([one.suite for one in after.bootstrap.sources], ["bookworm"])

    def test_a_mirror_of_it(self) -> None:
        """The mapping holds for it, too; `apt:` is asked for once, however many need it."""
        self.engine = self.make_engine({"http://r.example": "http://near.example/r", ROOT: "apt:"})
        self.processes.expect(URIS, lines=[NEAR])
        self.http.bodies = {
            "http://near.example/r/d/dists/stable/Release": b"x",
            "http://near.example/d/dists/bookworm/InRelease": b"x",
        }
        plan = self.plan_with("deb [trusted=yes] http://r.example/d stable main")
        self.assertEqual(
            [one.url for one in plan.repositories],
            [
                "deb [trusted=yes] http://near.example/d bookworm main",
                "deb [trusted=yes] http://near.example/r/d stable main",
            ],
        )

    def test_one_that_is_not_there(self) -> None:
        """The error names its index."""
        waiting = self.plan(self.with_repository("deb http://r.example/d stable main"))
        error = self.failureResultOf(waiting, Unavailable).value
        self.assertEqual(str(error), "http://r.example/d/dists/stable/InRelease: the mirror answers 404")

    def test_two_of_one_file(self) -> None:
        """They would overwrite each other."""
        named = [Repository(name, f"deb http://r.example/{name[0]} x main") for name in ("a b", "a-b")]
        template = replace(self.template(), repositories=tuple(named))
        error = self.assertRaises(InvalidInput, self.engine.check, template)
        self.assertIn("'a b' and 'a-b'", str(error))

    def test_one_that_only_the_guest_could_read(self) -> None:
        """It is refused at once, unless a mapping makes it readable."""
        template = self.with_repository("deb file:/srv/packages ./")
        error = self.assertRaises(Unsupported, self.engine.check, template)
        self.assertIn("extra", str(error))
        self.make_engine({"file:/srv/packages": "http://near.example"}).check(template)


class CheckTests(EngineTestCase):
    """What is refused at once."""

    def test_refusals(self) -> None:
        """Media, unknown systems, architectures that cannot run."""
        good = self.template()
        self.engine.check(good)
        for os in (
            replace(good.os, install=IsoInstall("http://m.example/x.iso")),
            replace(good.os, name="Plan9"),
            replace(good.os, version="7"),
            replace(good.os, install=UrlInstall("ftp://m.example/debian")),
            replace(good.os, install=UrlInstall("file:///srv/debian")),
            replace(good.os, arch=Arch.S390X),
        ):
            error = self.assertRaises(Unsupported, self.engine.check, replace(good, os=os))
            self.assertTrue(error.hint)

    def test_a_mapped_install_tree(self) -> None:
        """What others could not read is read where a mapping says."""
        template = self.template()
        for url in ("file:///srv/debian", "ftp://m.example/debian"):
            os = replace(template.os, install=UrlInstall(url))
            self.make_engine({url: "http://near.example/d"}).check(replace(template, os=os))


class BuildTests(EngineTestCase):
    """Running the tool."""

    def build(self, then: str = "", **how: Any) -> Deferred[Any]:
        plan = self.planned()
        self.processes.expect("enter mkdir")
        self.processes.expect("mmdebstrap --mode=root", **how)
        if then:
            self.processes.expect(then)
        return Deferred.fromCoroutine(self.engine.build(plan, self.directory, self.report))

    def test_a_tree(self) -> None:
        """Sources go in by standard input, progress grows, the log has the lines, downloads go."""
        lines = ["I: running apt-get update...", "I: installing essential packages...", "I: cleaning apt cache..."]
        building = self.build(lines=lines, then="enter rm -rf .*packages")
        base = self.successResultOf(building)
        self.assertEqual(base, RootTree(self.directory / "root"))
        self.assertEqual(self.report.percents, [1, 25, 98])
        self.assertEqual(self.report.lines[-3:], lines)
        command = self.processes.commands[-2]
        self.assertEqual(command.argv[0], "enter")
        self.assertIn(f"deb [trusted=yes] {ROOT} bookworm main\n", command.stdin.decode())
        self.assertIn('--aptopt=Dir::Cache::pkgcache ""', command.argv)

    def test_the_cause_of_a_failure(self) -> None:
        """A line far above the last ones tells it."""
        lines = ["W: GPG error: NO_PUBKEY 0123456789ABCDEF", *["noise"] * 50, "E: apt-get update failed"]
        error = self.failureResultOf(self.build(lines=lines, exit=25), BuildFailed).value
        self.assertIn("bad signature", error.message)

    def test_an_unknown_failure(self) -> None:
        """The tool's own words are kept."""
        error = self.failureResultOf(self.build(lines=["E: something new"], exit=1), CommandFailed).value
        self.assertIn("something new", str(error))
