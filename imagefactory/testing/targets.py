"""Contract suites of targets, to be mixed into a trial `TestCase`, and what a target in a test is made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from lxml import etree
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import InvalidInput, Unsupported
from imagefactory.lib.plugins.registry import Registry
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.report import Silence
from imagefactory.model.template import Arch, OperatingSystem, Template, UrlInstall
from imagefactory.push.ledger import ResourceLedger
from imagefactory.push.resources import LedgerResources, Sweeper
from imagefactory.settings.table import Settings
from imagefactory.targets.descriptor import TargetContext, TargetDescriptor
from imagefactory.targets.images import reading
from imagefactory.targets.interface import CloudPush, PushContext, Pushed, Ready, Target, cloud_info, no_parameters
from imagefactory.targets.registry import GROUP, InstalledTargets, is_descriptor
from imagefactory.targets.resources import Resource
from imagefactory.testing.ledger import LedgerFile, MemoryLedger
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import HeldThreads, ImmediateThreads, KilledThreads

P = ParamSpec("P")
T = TypeVar("T")

IMAGE_ID = "5f6c1f3e-2d3a-4d3b-9a55-0c1f1a2b3c4d"
PUSH_ID = "9b2f3d6a-7c1e-4a8b-8f0d-1e2d3c4b5a69"
NAMES = ("web server", "<&\"'>]]>", "../../etc/passwd", "日本語 ☃", "a" * 5000, "-", "x\ty\x7f", "${HOME} %s {0}")
FORMATS = {"raw", "qcow2", "vmdk", "vpc", "vhdx", "vdi"}
AGENTS = {"", "qemu", "vmware"}
PLAIN = re.compile(r"[a-z0-9][a-z0-9-]*")


def template(name: str = "web server", arch: Arch = Arch.X86_64) -> Template:
    """A small template."""
    os = OperatingSystem("Debian", "12", arch, UrlInstall("http://mirror.example/debian"))
    return Template(name, os, f"about {name}")


@implementer(IAgent)
class NoNetwork:
    """An HTTP client for targets that have no use for one."""

    def request(self, method: bytes, uri: bytes, *_: object, **__: object) -> Deferred[IResponse]:
        """Fails the test."""
        raise AssertionError(f"a request that no test expects: {method!r} {uri!r}")


def target_context(threads: Threads | None = None, **settings: Any) -> TargetContext:
    """Returns what a target is made from: settings by name, a clock that stands still, no network, no processes."""
    agent: IAgent = NoNetwork()
    return TargetContext(Settings(**settings), Clock(), agent, threads or ImmediateThreads(), ScriptedProcesses())


@dataclass(frozen=True, slots=True)
class DescriptorPoint:
    """The entry point of a descriptor, as an installed package has one."""

    name: str
    descriptor: TargetDescriptor

    def load(self) -> TargetDescriptor:
        """See `importlib.metadata.EntryPoint`."""
        return self.descriptor


def installed(*descriptors: TargetDescriptor, ours: Mapping[str, str] = MappingProxyType({})) -> InstalledTargets:
    """Returns an installation with these targets of other packages, and those of `ours`."""
    points: Any = [DescriptorPoint(each.name, each) for each in descriptors]
    registry = Registry("target", GROUP, ours, is_descriptor, unknown=Unsupported, installed=lambda _: points)
    return InstalledTargets(target_context(), registry)


class TargetContract(TestCase):
    """What every target promises; `make` makes the one under test, `name` is what it is registered as."""

    name: str

    def make(self, context: TargetContext) -> Target:
        """The target under test."""
        raise NotImplementedError

    def target(self, threads: Threads | None = None, **settings: Any) -> Target:
        """A target made from a context of its own."""
        return self.make(target_context(threads, **settings))

    def test_the_name_is_the_registered_one(self) -> None:
        """It is fit for a URL, a file name and a shell line."""
        self.assertEqual(self.target().name, self.name)
        self.assertTrue(PLAIN.fullmatch(self.name))

    def test_the_conversion_is_one_that_qemu_img_knows(self) -> None:
        """Its options are words."""
        conversion = self.target().conversion()
        self.assertIn(conversion.format, FORMATS)
        for key, value in conversion.options.items():
            self.assertTrue(re.fullmatch(r"[A-Za-z_]+=[A-Za-z0-9.]+", f"{key}={value}"))
        self.assertFalse(conversion.compress and conversion.format == "raw")

    def test_needs_are_words_a_family_understands(self) -> None:
        """Nothing in them breaks a kernel command line, a module list or a shell."""
        needs = self.target().needs(template())
        for word in (*needs.kernel_parameters, *needs.initrd_modules, *needs.cloud_init):
            self.assertTrue(re.fullmatch(r"[A-Za-z0-9_.,=:-]+", word), word)
        self.assertIn(needs.guest_agent, AGENTS)
        for path, data in needs.files:
            self.assertTrue(path.startswith("/") and ".." not in path)
            self.assertIsInstance(data, bytes)

    def test_the_image_knows_its_cloud(self) -> None:
        """An image with an operating system has the file that 1.0 wrote."""
        target = self.target()
        self.assertEqual(cloud_info(self.name) in target.needs(template()).files, target.os)

    def test_only_what_has_no_system_has_a_placeholder(self) -> None:
        """It is the body of the image, whatever the template is called."""
        target = self.target()
        for name in NAMES:
            self.assertEqual(bool(target.placeholder(template(name), IMAGE_ID)), not target.os)

    def test_parameters_are_xml_whatever_the_name(self) -> None:
        """Other targets have the sentence of 1.0, or none."""
        for name in NAMES:
            for arch in Arch:
                parameters = self.target().parameters(template(name, arch), IMAGE_ID, 1 << 31)
                if parameters is not None and parameters != no_parameters(self.name):
                    self.check_domain(parameters)

    def check_domain(self, parameters: str) -> None:
        """A libvirt domain that names the image."""
        root = etree.fromstring(parameters.encode())
        self.assertEqual((root.tag, root.findtext("uuid")), ("domain", IMAGE_ID))
        self.assertTrue(re.fullmatch(r"[A-Za-z0-9._+-]+", root.findtext("name") or ""))
        self.assertIsNotNone(root.find("devices/disk/source"))


class LocalPushContract(TargetContract):
    """What targets promise that push into a local directory: `settings()` name it, `there()` lists it."""

    credentials: Credentials | None = None
    most_steps = 50

    def provider(self) -> Provider:
        """Where to push."""
        return Provider(self.name, self.name)

    def settings(self) -> dict[str, Any]:
        """The settings that make the target use a directory of this test."""
        raise NotImplementedError

    def there(self) -> list[Path]:
        """The files at the provider."""
        raise NotImplementedError

    def image(self, *, file: bool = True) -> Ready:
        """A target image with 3 bytes of body; without `file` it can be read and is no local file."""
        path = Path(self.mktemp())
        path.write_bytes(b"abc")
        parameters = self.target().parameters(template(), IMAGE_ID, 3)
        return Ready(
            IMAGE_ID,
            3,
            lambda: reading(path, ImmediateThreads()),
            template=template(),
            parameters=parameters,
            path=path if file else None,
        )

    def pushing(self, threads: Threads | None = None) -> CloudPush:
        """The push side under test."""
        pushing = self.target(threads, **self.settings()).pushing
        assert pushing is not None
        return pushing

    def pushed(self, push: CloudPush, image: Ready, ledger: ResourceLedger | None = None) -> Deferred[Pushed]:
        """A push under way."""
        return Deferred.fromCoroutine(self._push(push, image, ledger or MemoryLedger()))

    async def _push(self, push: CloudPush, image: Ready, ledger: ResourceLedger) -> Pushed:
        provider, clock = self.provider(), Clock()
        like = Resource("", PUSH_ID, provider.target, provider.name, "", "", 0.0)
        resources = LedgerResources(ledger, Sweeper(ledger, clock), like, self.swept, clock)
        await resources.begin()
        return await push.push(image, PushContext(PUSH_ID, provider, self.credentials, resources, Silence()))

    async def swept(self, resource: Resource) -> None:
        """Delete a resource as a later process does."""
        await self.pushing().sweep(resource, self.provider(), self.credentials)

    def deleted(self, identifier: str) -> Deferred[None]:
        """A removal under way."""
        return Deferred.fromCoroutine(self.pushing().delete(identifier, self.provider(), self.credentials))

    def killed(self, fatal: int) -> tuple[MemoryLedger, bool]:
        """Kill a push in its step number `fatal`: the ledger of the next process, and whether the push got there."""
        file, threads = LedgerFile(), KilledThreads(fatal)
        push = self.pushed(self.pushing(threads), self.image(), MemoryLedger("killed", file))
        if threads.alive:
            self.successResultOf(push)
        file.living.clear()
        return MemoryLedger("next", file), not threads.alive

    def test_push_and_delete(self) -> None:
        """The image is there, unchanged here; removed it is gone, and removing it again is no error."""
        for file in (True, False):
            image = self.image(file=file)
            pushed = self.successResultOf(self.pushed(self.pushing(), image))
            self.assertIn(PUSH_ID, pushed.identifier)
            self.assertIn(b"abc", [path.read_bytes() for path in self.there()])
            if image.path is not None:
                self.assertEqual(image.path.read_bytes(), b"abc")
            for _ in range(2):
                self.successResultOf(self.deleted(pushed.identifier))
                self.assertEqual(self.there(), [])

    def test_a_killed_push_leaves_nothing_unknown(self) -> None:
        """Whatever is there after each of its steps is in the ledger, and gone when that was swept, twice even."""
        for fatal in range(1, self.most_steps):
            ledger, killed = self.killed(fatal)
            left = self.successResultOf(Deferred.fromCoroutine(ledger.leftovers()))
            self.assertTrue(left or not self.there(), fatal)
            for resource in (*left, *left):
                self.successResultOf(Deferred.fromCoroutine(self.swept(resource)))
            self.assertEqual(self.there(), [], fatal)
            if not killed:
                break
        else:
            self.fail("the push has no end")

    def test_a_killed_push_can_run_again(self) -> None:
        """With the same id, after each of its steps: then all is there as if it had run once."""
        once = self.successResultOf(self.pushed(self.pushing(), self.image()))
        expected = {path: path.read_bytes() for path in self.there()}
        self.successResultOf(self.deleted(once.identifier))
        for fatal in range(1, self.most_steps):
            ledger, killed = self.killed(fatal)
            again = self.successResultOf(self.pushed(self.pushing(), self.image(), ledger))
            self.assertEqual((again, {path: path.read_bytes() for path in self.there()}), (once, expected), fatal)
            self.successResultOf(self.deleted(again.identifier))
            if not killed:
                break

    def test_a_failed_push_leaves_nothing(self) -> None:
        """Here the image's file is gone."""
        image, ledger = self.image(), MemoryLedger()
        assert image.path is not None
        image.path.unlink()
        self.failureResultOf(self.pushed(self.pushing(), image, ledger), OSError)
        self.assertEqual((self.there(), ledger.file.rows), ([], {}))

    def test_a_cancelled_push_leaves_nothing(self) -> None:
        """In each of its steps, and not even when everything was written already."""
        for held in range(1, self.most_steps):
            threads, ledger = HeldThreads(held), MemoryLedger()
            push = self.pushed(self.pushing(threads), self.image(), ledger)
            if not threads.holding:
                return
            push.cancel()
            threads.let_go()
            self.failureResultOf(push, CancelledError)
            self.assertEqual((self.there(), ledger.file.rows), ([], {}), held)
        self.fail("the push has no end")

    def test_an_identifier_cannot_point_elsewhere(self) -> None:
        """A stored identifier may come from an import: it is refused unless it is one of this target's."""
        for identifier in ("../../etc/passwd", "", "/etc/passwd", "a/../b", "."):
            self.failureResultOf(self.deleted(identifier), InvalidInput)
