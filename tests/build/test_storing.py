"""What a build stores, and what it keeps when the warehouse does not take it."""

import shutil
from pathlib import Path
from unittest.mock import patch

from imagefactory.build.image_writer import BuiltImage
from imagefactory.build.interface import BuildOrder
from imagefactory.lib.errors import BuildFailed, Conflict, NoSpace, NotBooting, Unavailable
from imagefactory.model.records import Kind
from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.systems.engines.interface import BasePlan, SystemKind
from imagefactory.systems.families.registry import find
from imagefactory.testing.build import ReportNotes
from imagefactory.testing.jobs import template
from tests.build.cases import TEMPLATE, PipelineCase


class StoringTests(PipelineCase):
    """Records, images, retries and boot checks."""

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

    def test_a_build_that_was_deleted_meanwhile(self) -> None:
        """Its image would belong to nothing, and is not stored."""
        self.get(self.records.delete(Kind.BUILD, "build"))
        order = self.order()
        self.failureResultOf(self.begin(order), Conflict)
        self.assertIsNone(self.get(self.records.target_image(order.id)))
        self.assert_clean()

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
            raise Unavailable("no answer", hint="look at it")

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

    def test_a_kept_image_that_is_never_stored(self) -> None:
        """It goes after a week, when the next one is kept."""
        first = self.fail_to_store()
        self.now += 8 * 86_400
        second = self.order()
        self.get(self.tools.unstored.keep(second.id, Path(__file__), BuiltImage(b"", 0)))
        self.assertEqual(
            (False, True), (self.get(self.tools.unstored.has(first.id)), self.get(self.tools.unstored.has(second.id)))
        )

    def test_boot_check(self) -> None:
        """The finished file is proved, and the result is an attribute of the target image from its first moment."""
        order = self.order(boot_check=True)
        with patch.object(self.records, "annotate", side_effect=AssertionError("a second step")):
            self.build(order)
        attributes = self.get(self.records.attributes(Kind.TARGET_IMAGE, order.id)) or {}
        self.assertEqual(("ok", 1), (attributes["boot_check"], len(self.proofs)))

    def test_an_image_that_does_not_boot(self) -> None:
        """It is kept with what its serial port said, so that its owner can find out why; the job fails."""
        self.broken = NotBooting("boot check", "failed: Kernel panic", ["no root", "Kernel panic"])
        order = self.order(boot_check=True)
        self.failureResultOf(self.begin(order), NotBooting)
        self.assert_clean()
        attributes = self.get(self.records.attributes(Kind.TARGET_IMAGE, order.id)) or {}
        self.assertEqual(("failed", "no root\nKernel panic"), (attributes["boot_check"], attributes["boot_log"]))
