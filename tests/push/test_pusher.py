"""Push jobs, from the warehouse to a provider and back."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import NoSpace, NotFound, Unsupported
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.records import TargetImageRecord
from imagefactory.push.interface import PushOrder
from imagefactory.push.pusher import CloudPusher
from imagefactory.targets.descriptor import TargetDescriptor
from imagefactory.targets.interface import Pushed, Ready
from imagefactory.testing.jobs import parse, template
from imagefactory.testing.targets import installed
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse, open_store
from tests.build.test_pipeline import FakeJournal, Notes, remove

T = TypeVar("T")
PROVIDER = Provider("ec2-us-east-1", "ec2")
ORDER = PushOrder("p", "t", PROVIDER, account="somebody")


class FakeCloud:
    """A target and its push side."""

    def __init__(self) -> None:
        self.pushing: FakeCloud | None = self
        self.pushed: list[Ready] = []
        self.deleted: list[str] = []
        self.gate: Deferred[None] | None = None

    def account(self, credentials: Credentials | None, provider: Provider) -> str:
        return "somebody"

    def files(self, id: str, provider: Provider) -> tuple[Path, ...]:
        return (Path(f"/cloud/{id}"),)

    async def push(self, image: Ready, id: str, *_: object) -> Pushed:
        if self.gate:
            await self.gate
        assert image.path.read_bytes() == b"disk"
        self.pushed.append(image)
        return Pushed("ami-1")

    async def delete(self, identifier: str, *_: object) -> None:
        self.deleted.append(identifier)


class PusherTests(SynchronousTestCase):
    """One target image, one cloud."""

    def setUp(self) -> None:
        root, threads = Path(self.mktemp()), ImmediateThreads()
        self.records = Records(EmbeddedWarehouse(open_store(root / "warehouse"), threads))
        self.cloud, self.journal = FakeCloud(), FakeJournal()
        workspaces = Workspaces(root / "img", self.journal, remove, threads)
        descriptor = TargetDescriptor("ec2", "for this test", lambda _: self.cloud)  # type: ignore[arg-type,return-value]
        self.pusher = CloudPusher(self.records, installed(descriptor), parse, workspaces)
        self.get(self.records.store_template("x", template().source))
        record = TargetImageRecord("t", "b", "ec2", "x", target_parameters="<domain/>", size=4)
        self.get(self.records.store_target_image(record, b"disk"))

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def begin(self, order: PushOrder = ORDER) -> Deferred[object]:
        return Deferred.fromCoroutine(self.pusher.push(order, Notes()))

    def test_all_that_is_known_of_the_image(self) -> None:
        """The cloud gets file, template and parameters; the record has identifier and account."""
        self.successResultOf(self.begin())
        (ready,) = self.cloud.pushed
        self.assertEqual((4, template(), "<domain/>"), (ready.size, ready.template, ready.parameters))
        record = self.get(self.records.provider_image("p"))
        assert record is not None
        self.assertEqual(("t", "ec2-us-east-1"), (record.target_image, record.provider))
        self.assertEqual(("ami-1", "somebody"), (record.target_identifier, record.provider_account_identifier))
        self.assertEqual(set(), self.journal.noted)

    def test_files_are_written_down_before_they_are_made(self) -> None:
        """As long as they may be half-made: a kill leaves nothing that the next start does not know."""
        self.cloud.gate = Deferred()
        push = self.begin()
        self.assertIn(Path("/cloud/p"), self.journal.noted)
        self.cloud.gate.callback(None)
        self.successResultOf(push)
        self.assertEqual(set(), self.journal.noted)

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

    def test_a_record_that_cannot_be_kept(self) -> None:
        """What nobody would know of any more is removed at the provider again."""

        async def full(*_: object, **__: object) -> None:
            raise NoSpace("full")

        self.patch(self.records.warehouse, "put", full)
        self.failureResultOf(self.begin(), NoSpace)
        self.assertEqual(["ami-1"], self.cloud.deleted)
