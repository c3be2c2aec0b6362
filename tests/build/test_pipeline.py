"""Building an image stage by stage, with the real cache and warehouse and faked hand work."""

import shutil
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.actions import BuildContext
from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.kept_trees import KeptTrees
from imagefactory.build.image_writer import BuiltImage, ImageWriter
from imagefactory.build.interface import BuildOrder
from imagefactory.build.pending_uploads import PendingUploads
from imagefactory.build.pipeline import Pipeline, Tools
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.errors import BuildFailed, Conflict, InvalidInput, NoSpace, NotBooting, Unavailable, Unsupported
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.model.records import BuildRecord, Kind
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


class PipelineTests(PipelineCase):
    """Hits, misses, hand-overs and clean ends."""

    def test_what_can_never_become_a_disk_is_refused_at_once(self) -> None:
        """Too small, too large, too large for this cloud, or parameters that no boot loader hands over."""
        slashed = replace(TEMPLATE, os=replace(TEMPLATE.os, kernel_parameters="quiet a\\\\b"))
        refused = (
            (replace(TEMPLATE, disk_size=1 << 20), "ec2", "a disk of 1 MiB is too small"),
            (replace(TEMPLATE, disk_size=20 << 40), "ec2", "a disk of 20480 GiB is too large for ec2"),
            (replace(TEMPLATE, disk_size=2 << 30), "small", "a disk of 2048 MiB is too large for small"),
            (slashed, "ec2", "kernel parameter"),
        )
        for wrong, target, reason in refused:
            check = Deferred.fromCoroutine(self.pipeline.check(wrong, [target]))
            self.assertIn(reason, str(self.failureResultOf(check, InvalidInput).value))
            self.get(self.pipeline.check(wrong, ["mock"]))  # has no disk
        self.get(self.pipeline.check(replace(TEMPLATE, disk_size=2 << 30), ["ec2"]))

    def test_the_kind_of_the_base_chooses_the_actions(self) -> None:
        """Those for disks work on disks; without them such a template is refused before a job starts."""
        self.planner.kind = SystemKind.DISK
        check = Deferred.fromCoroutine(self.pipeline.check(TEMPLATE, ["ec2"]))
        self.assertIn("that is a disk", str(self.failureResultOf(check, Unsupported).value))
        disks = FakeActions()
        self.pipeline = Pipeline(replace(self.tools, actions={**self.tools.actions, SystemKind.DISK: disks}))
        self.get(self.pipeline.check(TEMPLATE, ["ec2"]))
        self.build(self.order())
        self.assertEqual(([], 3), (self.actions.steps, len(set(disks.steps) - {"pack"})))

    def test_cold(self) -> None:
        """Three stages, each on the tree of the one before; nothing is unpacked."""
        order = self.order(template=replace(template(), packages=("vim",)))
        notes = self.build(order)
        self.assertEqual({"base": False, "customise": False, "adapt": False}, notes.hits())
        self.assertEqual(["base", "pack", "customise", "pack", "adapt"], self.actions.steps)
        self.assertEqual(b"base 12\ncustomise vim\nadapt ec2\n", self.image(order))

    def test_records(self) -> None:
        """Template, ICICLE and target image are stored with what belongs to them."""
        order = self.order()
        self.build(order)
        record = self.get(self.records.target_image(order.id))
        assert record is not None
        assert record.icicle is not None
        self.assertEqual(("build", "ec2", "template-id"), (record.build, record.target, record.template))
        self.assertEqual("parameters of ec2", record.target_parameters)
        self.assertEqual(b"<icicle/>", self.get(self.records.icicle(record.icicle)))
        self.assertEqual(template().source, self.get(self.records.template("template-id")))

    def test_warm(self) -> None:
        """The same again does nothing, and says which stages were there."""
        self.build(self.order())
        self.actions.steps.clear()
        order = self.order()
        self.assertEqual({"base": True, "customise": True, "adapt": True}, self.build(order).hits())
        self.assertEqual([], self.actions.steps)
        self.assertEqual(b"base 12\ncustomise\nadapt ec2\n", self.image(order))

    def test_an_image_is_not_copied(self) -> None:
        """All hits: the cache's own file is proved and linked into the warehouse; imgdir, which may be on another and
        smaller file system, is not needed at all."""
        self.build(self.order())
        shutil.rmtree(self.imgdir)
        self.imgdir.write_text("a file")
        order = self.order(boot_check=True)
        self.get(self.pipeline.build(order, ReportNotes()))
        (entry,) = (self.root / "cache" / "adapt").glob("*/body")
        self.assertEqual([entry], self.proofs)
        stored = self.get(self.records.warehouse.path("target_images", order.id))
        assert stored is not None
        self.assertTrue(stored.samefile(entry))
        self.assertEqual(2, entry.stat().st_nlink)

    def test_one_package_more(self) -> None:
        """The base is used again; the log can say what changed."""
        self.build(self.order())
        self.actions.steps.clear()
        notes = self.build(self.order(template=replace(template(), packages=("vim",))))
        self.assertEqual({"base": True, "customise": False, "adapt": False}, notes.hits())
        self.assertEqual(("packages",), notes.outcomes["customise"].changed)
        self.assertEqual(["customise", "pack", "adapt"], self.actions.steps)

    def test_another_target(self) -> None:
        """Only the last stage is made."""
        self.build(self.order())
        self.actions.steps.clear()
        self.build(self.order("rhevm"))
        self.assertEqual(["unpack", "adapt"], self.actions.steps)

    def test_three_targets_at_once(self) -> None:
        """One base and one customisation for all; one plan; each target's tree is laid over that of all."""
        self.three_at_once(unpacked=0)

    def test_three_targets_where_no_tree_can_be_laid_over_another(self) -> None:
        """The tree goes to the first, the others unpack."""
        self.actions.layers = False
        self.three_at_once(unpacked=2)

    def three_at_once(self, unpacked: int) -> None:
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda step: gate if step == "base" and not gate.called else _nothing()
        orders = [self.order(name) for name in ("ec2", "rhevm", "vsphere")]
        builds = [self.begin(order) for order in orders]
        gate.callback(None)
        for build in builds:
            self.successResultOf(build)
        self.assertEqual(1, self.actions.steps.count("base"))
        self.assertEqual(1, self.actions.steps.count("customise"))
        self.assertEqual(3, self.actions.steps.count("adapt"))
        self.assertEqual(unpacked, self.actions.steps.count("unpack"))
        self.assertEqual(b"base 12\ncustomise\nadapt vsphere\n", self.image(orders[2]))
        self.assert_clean()

    def test_one_stage_from_the_cache_for_two_more_targets(self) -> None:
        """It is unpacked once for both."""
        self.build(self.order())
        self.actions.steps.clear()
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda step: gate if step == "unpack" and not gate.called else _nothing()
        builds = [self.begin(self.order(name)) for name in ("rhevm", "vsphere")]
        gate.callback(None)
        for build in builds:
            self.successResultOf(build)
        self.assertEqual(["unpack", "adapt", "adapt"], sorted(self.actions.steps, reverse=True))
        self.assert_clean()

    def test_as_many_at_once_as_there_are_places(self) -> None:
        """Of three targets two are adapted at once; the third waits without a room, and comes when one has ended."""
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda step: gate if step == "adapt" else _nothing()
        builds = [self.begin(self.order(name)) for name in ("ec2", "rhevm", "vsphere")]
        self.assertEqual(3, len(self.journal.noted))  # theirs, and the one below
        gate.callback(None)
        for build in builds:
            self.successResultOf(build)
        self.assertEqual(3, self.actions.steps.count("adapt"))
        self.assert_clean()

    def test_cancel_at_every_step(self) -> None:
        """Nothing is left, wherever it happens; the stages that were finished are hits for the next."""
        for step in ("base", "pack", "customise", "adapt"):
            gate: Deferred[None] = Deferred()
            self.actions.pause = lambda name, gate=gate, step=step: gate if name == step else _nothing()
            order = self.order(template=replace(template(), packages=(step,)))
            build = self.begin(order)
            build.cancel()
            self.failureResultOf(build, CancelledError)
            self.assertIsNone(self.get(self.records.target_image(order.id)))
            self.assert_clean()
            self.actions.pause = lambda name: _nothing()
            self.build(order)

    def test_a_build_that_was_deleted_meanwhile(self) -> None:
        """Its image would belong to nothing, and is not stored."""
        self.get(self.records.delete(Kind.BUILD, "build"))
        order = self.order()
        self.failureResultOf(self.begin(order), Conflict)
        self.assertIsNone(self.get(self.records.target_image(order.id)))
        self.assert_clean()

    def test_one_of_two_is_cancelled(self) -> None:
        """The other goes on with the stage that both wait for, although the first had begun it."""
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda name: gate if name == "customise" else _nothing()
        first, second = self.begin(self.order()), self.begin(self.order("rhevm"))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        gate.callback(None)
        self.successResultOf(second)
        self.assertEqual(1, self.actions.steps.count("customise"))
        self.assert_clean()

    def test_a_failing_step(self) -> None:
        """Its error comes through; a retry begins at that stage."""
        self.actions.broken["customise"] = BuildFailed("the script failed")
        build = self.begin(self.order())
        self.failureResultOf(build, BuildFailed)
        self.assert_clean()
        self.actions.broken.clear()
        self.actions.steps.clear()
        self.build(self.order())
        self.assertEqual(["customise", "pack", "adapt"], self.actions.steps)

    def test_a_damaged_entry(self) -> None:
        """It is made again, from the stage before it."""
        self.build(self.order())
        (body,) = (self.root / "cache").glob("**/customise/*/body")
        body.chmod(0o600)
        body.write_text("damaged")
        order = self.order("rhevm")
        self.build(order)
        self.assertEqual(b"base 12\ncustomise\nadapt rhevm\n", self.image(order))

    def test_a_kill_between_icicle_and_image(self) -> None:
        """The ICICLE is stored first; the next start finds it without its image and removes it."""
        order = self.order()
        self.build(order)
        self.get(self.pipeline.forget(order.id))
        self.assertEqual(1, len(self.get(self.records.ids(Kind.ICICLE))))
        self.get(self.records.delete(Kind.TARGET_IMAGE, order.id))
        self.get(self.pipeline.forget(order.id))
        self.assertEqual([], self.get(self.records.ids(Kind.ICICLE)))

    def test_no_space_for_the_result(self) -> None:
        """A warehouse that fails leaves no image and no ICICLE behind."""

        async def full(*_: object, **__: object) -> None:
            raise NoSpace("full")

        self.patch(self.records.warehouse, "adopt", full)
        order = self.order()
        self.failureResultOf(self.begin(order), NoSpace)
        self.assertEqual([], self.get(self.records.ids(Kind.ICICLE)))
        self.assert_clean()

    def fail_to_store(self) -> BuildOrder:
        """A build whose image the warehouse does not take, because it is down; then it is up again."""

        async def down(*_: object, **__: object) -> None:
            raise Unavailable("nobody answers", hint="look at it")

        order = self.order(boot_check=True)
        with patch.object(self.records.warehouse, "adopt", down):
            error = self.failureResultOf(self.begin(order), Unavailable).value
        self.assertEqual("look at it; the image is kept: a retry only stores it", error.hint)
        self.assert_clean()
        return order

    def test_a_retry_only_stores(self) -> None:
        """It neither plans nor builds nor proves, although the mirror is down and the cache has lost everything."""
        order = self.fail_to_store()
        self.actions.steps.clear()
        shutil.rmtree(self.root / "cache")
        with patch.object(self.planner, "plan", side_effect=BuildFailed("the mirror is down")):
            self.build(order)
        self.assertEqual(([], 1), (self.actions.steps, len(self.proofs)))
        self.assertEqual(b"base 12\ncustomise\nadapt ec2\n", self.image(order))
        attributes = self.get(self.records.attributes(Kind.TARGET_IMAGE, order.id)) or {}
        self.assertEqual(("ok", "parameters of ec2"), (attributes["boot_check"], attributes["target_parameters"]))
        self.assertTrue(attributes["icicle"])
        self.assertEqual([], list((self.root / "unstored").iterdir()))

    def test_a_retry_after_the_mirror_has_changed(self) -> None:
        """Another plan than the first time makes no difference; another job has the new one."""
        order = self.fail_to_store()
        changed = BasePlan(SystemKind.TREE, {"version": "later"}, *find(TEMPLATE.os))
        self.actions.steps.clear()

        async def plan(_template: Template, _report: Report) -> BasePlan:
            return changed

        self.patch(self.planner, "plan", plan)
        self.build(order)
        self.assertEqual([], self.actions.steps)
        self.build(self.order())
        self.assertIn("base", self.actions.steps)

    def test_a_kept_image_that_is_damaged(self) -> None:
        """It is built again."""
        order = self.fail_to_store()
        kept = self.root / "unstored" / order.id / "image"
        kept.unlink()
        kept.write_text("damaged")
        self.build(order)
        self.assertEqual(b"base 12\ncustomise\nadapt ec2\n", self.image(order))

    def test_a_kept_image_that_nobody_comes_for(self) -> None:
        """It goes after a week, when the next one is kept."""
        first = self.fail_to_store()
        self.now += 8 * 86_400
        second = self.order()
        self.get(self.tools.unstored.keep(second.id, Path(__file__), BuiltImage(b"", 0)))
        self.assertEqual(
            (False, True), (self.get(self.tools.unstored.has(first.id)), self.get(self.tools.unstored.has(second.id)))
        )

    def test_an_unwritable_imgdir(self) -> None:
        """The error names it and what to do."""
        self.imgdir.write_text("a file")
        error = self.failureResultOf(self.begin(self.order()), BuildFailed).value
        self.assertIn("imgdir", error.hint)

    def test_boot_check(self) -> None:
        """The finished file is proved, and the result is an attribute of the target image from its first moment."""
        order = self.order(boot_check=True)
        with patch.object(self.records, "annotate", side_effect=AssertionError("a second step")):
            self.build(order)
        attributes = self.get(self.records.attributes(Kind.TARGET_IMAGE, order.id)) or {}
        self.assertEqual(("ok", 1), (attributes["boot_check"], len(self.proofs)))

    def test_an_image_that_does_not_boot(self) -> None:
        """It is kept with what its serial port said, for whoever has to find out why; the job fails."""
        self.broken = NotBooting("boot check", "failed: Kernel panic", ["no root", "Kernel panic"])
        order = self.order(boot_check=True)
        self.failureResultOf(self.begin(order), NotBooting)
        self.assert_clean()
        attributes = self.get(self.records.attributes(Kind.TARGET_IMAGE, order.id)) or {}
        self.assertEqual(("failed", "no root\nKernel panic"), (attributes["boot_check"], attributes["boot_log"]))

    def test_mock(self) -> None:
        """A target without operating system needs no engine."""
        order = self.order("mock")
        self.build(order)
        self.assertEqual((b"nothing", 0), (self.image(order), self.planner.runs))

    def test_plan(self) -> None:
        """The keys of all stages are known without making any."""
        before = self.get(self.pipeline.plan(template(), "ec2"))
        self.build(self.order())
        after = self.get(self.pipeline.plan(template(), "ec2"))
        self.assertEqual([False] * 3 + [True] * 3, [outcome.hit for outcome in (*before, *after)])
        self.assertEqual([outcome.key for outcome in before], [outcome.key for outcome in after])
        self.assertEqual((), self.get(self.pipeline.plan(template(), "mock")))


async def _nothing() -> None:
    pass
