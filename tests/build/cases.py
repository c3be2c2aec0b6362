"""A pipeline with the real cache and warehouse and faked hand work."""

import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.actions import BuildContext
from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.kept_trees import KeptTrees
from imagefactory.build.image_writer import ImageWriter
from imagefactory.build.interface import BuildOrder
from imagefactory.build.pending_uploads import PendingUploads
from imagefactory.build.pipeline import Pipeline, Tools
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.errors import NotBooting
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.model.records import BuildRecord
from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.layout import LARGEST_DISK
from imagefactory.systems.engines.interface import BasePlan, SystemKind
from imagefactory.systems.families.interface import Needs
from imagefactory.systems.families.registry import find
from imagefactory.targets.interface import Target
from imagefactory.testing.build import FakeActions, FakeJournal, ReportNotes, remove_all, remove_flat
from imagefactory.testing.jobs import ids, template
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse, open_store

T = TypeVar("T")
TEMPLATE = template()


class Cloud(Target):
    """A target."""

    pushing = None

    def __init__(self, name: str, *, os: bool = True) -> None:
        self.name = name
        self.os = os
        self.largest_disk = 1 << 30 if name == "small" else LARGEST_DISK

    def needs(self, template: Template) -> Needs:
        return Needs(kernel_parameters=(self.name,))

    def conversion(self) -> Conversion:
        return Conversion("raw")

    def parameters(self, template: Template, image_id: str, size: int) -> str:
        return f"parameters of {self.name}"

    def placeholder(self, template: Template, image_id: str) -> bytes:
        return b"nothing"


class FakePlanner:
    """Plans systems of one `kind` at once; `runs` counts."""

    def __init__(self) -> None:
        self.runs = 0
        self.kind = SystemKind.TREE

    def check(self, template: Template) -> SystemKind:
        return self.kind

    async def plan(self, template: Template, report: Report) -> BasePlan:
        self.runs += 1
        return BasePlan(self.kind, {"version": template.os.version}, *find(template.os))


async def as_it_is(template: Template, _target: str) -> Template:
    """The administrator adds nothing for any target."""
    return template


class PipelineCase(SynchronousTestCase):
    """A pipeline, and what it leaves."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.imgdir = self.root / "img"
        threads = ImmediateThreads()
        self.actions, self.journal, self.planner = FakeActions(), FakeJournal(), FakePlanner()
        self.records = Records(EmbeddedWarehouse(open_store(self.root / "warehouse"), threads))
        self.cache = DirectoryCache(self.root / "cache", 1 << 30, remove=remove_all, threads=threads, clock=Clock())
        self.get(self.cache.start())
        self.proofs: list[Path] = []
        self.broken: NotBooting | None = None
        self.new_id = ids()
        self.now = time.time()
        workspaces = Workspaces(self.imgdir, self.journal, remove_flat, threads)
        self.tools = Tools(
            planner=self.planner,
            actions={SystemKind.TREE: self.actions},
            cache=self.cache,
            kept=KeptTrees(
                self.root / "cache", workspaces=workspaces, evict=self.cache.evict, threads=threads, clock=Clock()
            ),
            target=lambda name: Cloud(name, os=name != "mock"),
            merge=as_it_is,
            prove=self.prove,
            results=ImageWriter(self.records),
            unstored=PendingUploads(self.root / "unstored", threads, lambda: self.now),
            workspaces=workspaces,
            threads=threads,
            processors=Queue(2),
        )
        self.pipeline = Pipeline(self.tools)
        self.get(self.records.store_build(BuildRecord("build", "image", 1.0)))

    async def prove(self, image: Path, piece: BuildContext, icicle: bytes, report: Report) -> Mapping[str, str]:
        self.proofs.append(image)
        if self.broken is not None:
            raise self.broken
        return {"boot_check": "ok"}

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def order(self, target: str = "ec2", template: Template = TEMPLATE, *, boot_check: bool = False) -> BuildOrder:
        return BuildOrder(self.new_id(), "image", "build", target, template, "template-id", boot_check)

    def build(self, order: BuildOrder) -> ReportNotes:
        notes = ReportNotes()
        self.get(self.pipeline.build(order, notes))
        self.assert_clean()
        return notes

    def begin(self, order: BuildOrder) -> Deferred[object]:
        return Deferred.fromCoroutine(self.pipeline.build(order, ReportNotes()))

    def assert_clean(self) -> None:
        """No workspace is left, on the disk or in the journal."""
        self.assertEqual((set(), []), (self.journal.noted, list(self.imgdir.glob("*"))))

    def image(self, order: BuildOrder) -> bytes | None:
        return self.get(self.records.warehouse.body("target_images", order.id))


async def nothing() -> None:
    """A pause of no length."""
