"""Trees of several builds at once: shared where the host can lay trees over each other, never changed under another."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from twisted.internet.defer import CancelledError, Deferred

from imagefactory.build.pipeline import Pipeline
from imagefactory.lib.errors import CommandFailed
from imagefactory.testing.jobs import template
from tests.build.cases import PipelineCase

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

    def test_a_cancelled_step_ends_before_its_tree_is_removed(self) -> None:
        """What it does when it is cancelled still finds the workspace."""
        ending, found = Deferred[None](), list[bool]()

        async def pause(step: str) -> None:
            if step == "adapt":
                try:
                    await Deferred()
                except CancelledError:
                    await ending
                    found.append(any(self.imgdir.glob("*adapt*")))
                    raise

        self.actions.pause = pause
        building = self.begin(self.order("ec2"))
        building.cancel()
        self.assertNoResult(building)
        ending.callback(None)
        self.failureResultOf(building, CancelledError)
        self.assertEqual(found, [True])
        self.assert_clean()

    def test_a_host_is_asked_once(self) -> None:
        """Whether it can overlay is decided with the first build, and not again."""
        for self.actions.layers in (True, False):
            self.build(self.order("ec2", replace(EDITED, packages=(str(self.actions.layers),))))
        self.assertEqual(1, self.actions.probes)
        self.assertEqual(["base", "pack", "customise", "pack", "adapt"], self.actions.steps[:5])

    def test_mixed_answers(self) -> None:
        """Targets that come and fail in any order never change what another stands on."""
        for answers in product([True, False], repeat=3):
            self.check_mixed(answers)

    def check_mixed(self, answers: tuple[bool, ...]) -> None:
        """Builds of three targets of one template that is new for these answers."""
        name = "-".join(map(str, answers))
        edited = replace(EDITED, packages=(name,))
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
                self.assertEqual(f"base 12\ncustomise {name}\nadapt {order.target}\n".encode(), self.image(order))
            else:
                self.failureResultOf(build, CommandFailed)
        self.actions.broken = {}
        self.assert_clean()

    def test_processes_with_different_answers(self) -> None:
        """One lays its trees over the kept base that the other one unpacks: neither changes it."""
        for answers in ([True, False], [False, True]):
            self.gates["adapt"] = Deferred()
            orders, builds = [], []
            for layers in answers:
                self.actions.layers, self.pipeline = layers, Pipeline(self.tools)
                orders.append(self.order("ec2", replace(EDITED, packages=(f"{layers}-{answers[0]}",))))
                builds.append(self.begin(orders[-1]))
            self.gates.pop("adapt").callback(None)
            for layers, order, build in zip(answers, orders, builds, strict=True):
                self.successResultOf(build)
                whole = f"base 12\ncustomise {layers}-{answers[0]}\nadapt ec2\n"
                self.assertEqual(whole.encode(), self.image(order))
            (kept,) = (self.root / "cache" / "tree").glob("*/root")
            self.assertEqual("base 12\n", kept.read_text())
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
