"""Push jobs, from the warehouse to a provider and back."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import NotFound, Unsupported
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.records import TargetImageRecord
from imagefactory.push.interface import PushOrder
from imagefactory.push.leftovers import Leftovers
from imagefactory.push.pusher import CloudPusher
from imagefactory.targets.descriptor import TargetDescriptor
from imagefactory.targets.interface import PushContext, Pushed, Ready
from imagefactory.testing.build import FakeJournal, ReportNotes, remove_flat
from imagefactory.testing.jobs import parse, template
from imagefactory.testing.ledger import MemoryLedger
from imagefactory.testing.targets import installed
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse, open_store

T = TypeVar("T")
PROVIDER = Provider("ec2-us-east-1", "ec2")
ORDER = PushOrder("p", "t", PROVIDER, account="somebody")


class FakeCloud:
    """A target and its push side, which reads the image."""

    def __init__(self) -> None:
        self.pushing: FakeCloud | None = self
        self.pushed: list[Ready] = []
        self.read: list[tuple[int, tuple[tuple[int, int], ...], bytes]] = []
        self.gate: Deferred[None] | None = None

    def account(self, credentials: Credentials | None, provider: Provider) -> str:
        return "somebody"

    async def push(self, image: Ready, context: PushContext) -> Pushed:
        if self.gate:
            await self.gate
        self.pushed.append(image)
        async with image.open() as reader:
            self.read.append((reader.size, reader.extents, await reader.read(0, 4)))
        return Pushed("ami-1")


class PusherTests(SynchronousTestCase):
    """One target image, one cloud, a warehouse in files."""

    def setUp(self) -> None:
        root, threads = Path(self.mktemp()), ImmediateThreads()
        self.records = Records(EmbeddedWarehouse(open_store(root / "warehouse"), threads))
        self.cloud, self.journal = FakeCloud(), FakeJournal()
        workspaces = Workspaces(root / "img", self.journal, remove_flat, threads)
        targets = installed(TargetDescriptor("ec2", "for this test", lambda _: self.cloud, concurrency=lambda _: 3))  # type: ignore[arg-type,return-value]
        leftovers = Leftovers(MemoryLedger(), self.records, targets, Clock())
        self.pusher = CloudPusher(self.records, targets, leftovers, parse=parse, workspaces=workspaces, threads=threads)
        self.get(self.records.store_template("x", template().source))
        record = TargetImageRecord("t", "b", "ec2", "x", target_parameters="<domain/>", size=1 << 20)
        self.get(self.records.store_target_image(record, b"disk" + bytes((1 << 20) - 4)))

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def begin(self, order: PushOrder = ORDER) -> Deferred[object]:
        return Deferred.fromCoroutine(self.pusher.push(order, ReportNotes()))

    def test_all_that_is_known_of_the_image(self) -> None:
        """The cloud gets file, template and parameters; the record has identifier and account."""
        self.successResultOf(self.begin())
        (ready,) = self.cloud.pushed
        self.assertEqual((1 << 20, template(), "<domain/>"), (ready.size, ready.template, ready.parameters))
        record = self.get(self.records.provider_image("p"))
        assert record is not None
        self.assertEqual(("t", "ec2-us-east-1"), (record.target_image, record.provider))
        self.assertEqual(("ami-1", "somebody"), (record.target_identifier, record.provider_account_identifier))
        self.assertEqual(set(), self.journal.noted)

    def test_the_image_is_read_by_its_extents(self) -> None:
        """Size with holes, and where data is; a hole at the end is no data."""
        self.successResultOf(self.begin())
        ((size, extents, data),) = self.cloud.read
        self.assertEqual((1 << 20, b"disk"), (size, data))
        self.assertEqual(extents[0][0], 0)
        self.assertLess(extents[0][1], 1 << 20)

    def test_concurrency(self) -> None:
        """It is the target's own."""
        self.assertEqual(3, self.pusher.concurrency("ec2"))
        self.assertRaises(Unsupported, self.pusher.concurrency, "other")

    def test_a_definition_is_not_stored(self) -> None:
        """A provider given as a definition, which may hold a password, is stored by its name."""
        provider = Provider("mine", "ec2", {"password": "hush"})
        self.successResultOf(self.begin(PushOrder("p", "t", provider)))
        record = self.get(self.records.provider_image("p"))
        assert record is not None
        self.assertEqual("mine", record.provider)

    def test_no_file(self) -> None:
        """An imported image has none."""
        self.get(self.records.store_target_image(TargetImageRecord("imported", "b", "ec2")))
        for id in ("other", "imported"):
            failure = self.failureResultOf(self.begin(PushOrder("p", id, PROVIDER)), NotFound)
            self.assertIn("no image file", failure.getErrorMessage())
        self.assertEqual(([], set()), (self.cloud.pushed, self.journal.noted))

    def test_cannot_push(self) -> None:
        """A target without push side is refused at once."""
        self.cloud.pushing = None
        self.assertRaises(Unsupported, self.pusher.account, PROVIDER, None)

    def test_cancelled(self) -> None:
        """No record, no workspace."""
        self.cloud.gate = Deferred()
        push = self.begin()
        push.cancel()
        self.failureResultOf(push, CancelledError)
        self.assertIsNone(self.get(self.records.provider_image("p")))
        self.assertEqual(set(), self.journal.noted)
