"""Building an image stage by stage, with the real cache and warehouse and faked hand work."""

from dataclasses import replace

from twisted.internet.defer import CancelledError, Deferred

from imagefactory.build.pipeline import Pipeline
from imagefactory.lib.errors import BuildFailed, InvalidInput, Unsupported
from imagefactory.systems.engines.interface import SystemKind
from imagefactory.testing.build import FakeActions
from imagefactory.testing.jobs import template
from tests.build.cases import TEMPLATE, PipelineCase, nothing


class PipelineTests(PipelineCase):
    """Hits, misses and clean ends."""

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

    def test_warm(self) -> None:
        """The same again does nothing, and says which stages were there."""
        self.build(self.order())
        self.actions.steps.clear()
        order = self.order()
        self.assertEqual({"base": True, "customise": True, "adapt": True}, self.build(order).hits())
        self.assertEqual([], self.actions.steps)
        self.assertEqual(b"base 12\ncustomise\nadapt ec2\n", self.image(order))

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

    def test_cancel_at_every_step(self) -> None:
        """Nothing is left, wherever it happens; the stages that were finished are hits for the next."""
        for step in ("base", "pack", "customise", "adapt"):
            gate: Deferred[None] = Deferred()
            self.actions.pause = lambda name, gate=gate, step=step: gate if name == step else nothing()
            order = self.order(template=replace(template(), packages=(step,)))
            build = self.begin(order)
            build.cancel()
            self.failureResultOf(build, CancelledError)
            self.assertIsNone(self.get(self.records.target_image(order.id)))
            self.assert_clean()
            self.actions.pause = lambda name: nothing()
            self.build(order)

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

    def test_an_unwritable_imgdir(self) -> None:
        """The error names it and what to do."""
        self.imgdir.write_text("a file")
        error = self.failureResultOf(self.begin(self.order()), BuildFailed).value
        self.assertIn("imgdir", error.hint)

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
