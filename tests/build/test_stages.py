"""Trees of several builds at once: shared where the host can lay trees over each other, never changed under another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from twisted.internet.defer import CancelledError, Deferred

from imagefactory.build.pipeline import Pipeline
from imagefactory.lib.errors import BuildFailed, CommandFailed
from imagefactory.testing.jobs import template
from tests.build.cases import PipelineCase

STEPS = ("base", "pack", "customise", "adapt")
EDITED = replace(template(), packages=("vim",))


class SharingTests(PipelineCase):
    """Several targets stand on one tree."""

    def setUp(self) -> None:
        super().setUp()
        self.gates: dict[str, Deferred[None]] = {}
        self.actions.pause = self.pause

    async def pause(self, step: str) -> None:
        if step in self.gates:
            await self.gates[step]

    def whole(self, target: str) -> bytes:
        """What the image of that target has in it."""
        return f"base 12\ncustomise\nadapt {target}\n".encode()

    def test_one_that_cannot_be_laid(self) -> None:
        """Its build fails; the tree stays under the other one, whose image is right, now and from the cache."""
        self.gates["adapt"] = Deferred()
        first = self.order("ec2")
        building = self.begin(first)
        self.actions.broken["lay"] = CommandFailed("laying", "1", tail=["no space left on device"])
        self.failureResultOf(self.begin(self.order("rhevm")), CommandFailed)
        self.gates.pop("adapt").callback(None)
        self.successResultOf(building)
        self.assertEqual(self.whole("ec2"), self.image(first))
        self.assert_clean()
        self.actions.broken.clear()
        again = self.order("rhevm")
        self.build(again)
        self.assertEqual(self.whole("rhevm"), self.image(again))

    def test_a_host_is_asked_once(self) -> None:
        """Whether it can overlay is decided with the first build, and not again."""
        for self.actions.layers in (True, False):
            self.build(self.order("ec2", replace(EDITED, packages=(str(self.actions.layers),))))
        self.assertEqual(1, self.actions.probes)
        self.assertEqual(["base", "pack", "customise", "pack", "adapt"], self.actions.steps[:5])

    def test_mixed_answers(self) -> None:
        """Targets that come and fail in any order never change what another stands on."""
        for answers in ([True, False, True], [False, True, False], [True, True, False], [False, False, True]):
            self.check_mixed(answers)

    def check_mixed(self, answers: list[bool]) -> None:
        """Builds of three targets of one template that is new for each list of answers."""
        edited = replace(EDITED, packages=tuple(map(str, answers)))
        self.gates["adapt"] = Deferred()
        builds = []
        for number, answer in enumerate(answers):
            self.actions.broken = {} if answer else {"lay": CommandFailed("laying", "1")}
            order = self.order(f"cloud-{number}", edited)
            builds.append((answer, order, self.begin(order)))
        self.gates.pop("adapt").callback(None)
        for answer, order, build in builds:
            if answer:
                self.successResultOf(build)
                self.assertIn(f"adapt {order.target}\n".encode(), self.image(order) or b"")
            else:
                self.failureResultOf(build, CommandFailed)
        self.actions.broken = {}
        self.assert_clean()

    def test_two_builds_of_one_base_without_overlays(self) -> None:
        """One takes the tree, the other unpacks its own."""
        self.actions.layers = False
        self.gates["base"] = Deferred()
        orders = [self.order("ec2", replace(EDITED, packages=(name,))) for name in ("vim", "nano")]
        builds = [self.begin(order) for order in orders]
        self.gates.pop("base").callback(None)
        for order, build, name in zip(orders, builds, ("vim", "nano"), strict=True):
            self.successResultOf(build)
            self.assertEqual(f"base 12\ncustomise {name}\nadapt ec2\n".encode(), self.image(order))
        self.assertEqual(1, self.actions.steps.count("base"))
        self.assert_clean()


class FaultTests(PipelineCase):
    """Each step fails, or is cancelled, alone or with another build that shares it."""

    def points(self) -> Iterator[tuple[str, bool]]:
        """Steps, with overlays and without."""
        for layers in (True, False):
            for step in STEPS:
                yield step, layers

    def fresh(self, step: str, *, layers: bool) -> None:
        """A pipeline whose cache has nothing of this case."""
        self.actions.layers, self.actions.broken = layers, {}
        self.edited = replace(EDITED, os=replace(EDITED.os, version="12"), packages=(step, str(layers)))
        self.pipeline = Pipeline(self.tools)
        for entry in (self.root / "cache").rglob("body"):
            entry.unlink()

    def test_a_fault_at_each_step(self) -> None:
        """Both builds fail with it, nothing is left, and the next build is right."""
        for step, layers in self.points():
            self.fresh(step, layers=layers)
            self.actions.broken[step] = BuildFailed(f"{step} failed")
            builds = [self.begin(self.order(target, self.edited)) for target in ("ec2", "rhevm")]
            for build in builds:
                self.failureResultOf(build, BuildFailed)
            self.assert_clean()
            self.actions.broken.clear()
            order = self.order("ec2", self.edited)
            self.build(order)
            self.assertIn(b"adapt ec2", self.image(order) or b"")

    def test_a_cancel_at_each_step(self) -> None:
        """The other build goes on with the shared stage, and its image is right."""
        for step, layers in self.points():
            self.fresh(step, layers=layers)
            gates: dict[str, Deferred[None]] = {step: Deferred()}

            async def pause(name: str, gates: dict[str, Deferred[None]] = gates) -> None:
                if name in gates:
                    waiting: Deferred[None] = Deferred()
                    gates[name].chainDeferred(waiting)
                    await waiting

            self.actions.pause = pause
            orders = [self.order(target, self.edited) for target in ("ec2", "rhevm")]
            first, second = (self.begin(order) for order in orders)
            first.cancel()
            self.failureResultOf(first, CancelledError)
            for gate in list(gates.values()):
                gates.clear()
                gate.callback(None)
            self.successResultOf(second)
            self.assertIn(b"adapt rhevm", self.image(orders[1]) or b"")
            self.assert_clean()
