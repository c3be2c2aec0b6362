"""The order of what is done inside a system, whatever kind it is of."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.actions import BuildContext
from imagefactory.build.guest_actions import adapt
from imagefactory.lib.errors import BuildFailed
from imagefactory.model.report import Report, Silence
from imagefactory.model.template import Arch, OperatingSystem, Template, UrlInstall
from imagefactory.systems.engines.interface import BasePlan, SystemKind
from imagefactory.systems.families.registry import find
from imagefactory.systems.guests.interface import Guest
from imagefactory.targets.registry import TARGETS
from imagefactory.testing.guests import MemoryGuest
from imagefactory.testing.targets import target_context

OS = OperatingSystem("Debian", "12", Arch.X86_64, UrlInstall("http://mirror.example/debian"))
SEALED = "empty the logs"


class TakenDisk:
    """A `DiskMaker` of a disk that is there; notes what the guest has run by then, and whether it still runs."""

    def __init__(self, guest: MemoryGuest) -> None:
        self.guest = guest
        self.prepared: list[str] = []
        self.written: list[tuple[Path, bool]] = []
        self.error: Exception | None = None

    async def prepare(self, guest: Guest) -> None:
        self.prepared = [one.title for one in self.guest.ran]
        if self.error is not None:
            raise self.error

    async def write(self, image: Path, report: Report) -> None:
        self.written.append((image, self.guest.entered))


class AdaptTests(SynchronousTestCase):
    """`adapt` with a guest in memory."""

    def setUp(self) -> None:
        self.guest = MemoryGuest()
        self.disk = TakenDisk(self.guest)
        plan = BasePlan(SystemKind.DISK, {}, *find(OS))
        self.context = BuildContext(Template("web", OS), plan, TARGETS.get("ec2").make(target_context()))

    def adapt(self) -> Deferred[bytes]:
        work = adapt(self.guest, self.context, self.disk, Path("image"), Silence(), timeout=60)
        return Deferred.fromCoroutine(work)

    def test_the_seal_is_the_last_thing_in_the_guest(self) -> None:
        """Needs, then what the disk wants, then the seal; the disk is written when nothing runs any more."""
        self.assertIn(b"<icicle>", self.successResultOf(self.adapt()))
        titles = [one.title for one in self.guest.ran]
        self.assertTrue(self.disk.prepared)
        self.assertNotIn(SEALED, self.disk.prepared)
        self.assertIn(SEALED, titles[len(self.disk.prepared) :])
        self.assertEqual([(Path("image"), False)], self.disk.written)

    def test_no_disk_of_a_system_that_could_not_be_finished(self) -> None:
        """The guest is left, nothing is written."""
        self.disk.error = BuildFailed("no kernel")
        self.failureResultOf(self.adapt(), BuildFailed)
        self.assertEqual(([], False), (self.disk.written, self.guest.entered))
        self.assertNotIn(SEALED, [one.title for one in self.guest.ran])
