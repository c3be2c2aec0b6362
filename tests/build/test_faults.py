"""Each step of a build fails, or is cancelled, alone or with another build that shares it; so does the clean-up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred

from imagefactory.build.cache.directory import CacheDirectory
from imagefactory.build.interface import BuildOrder
from imagefactory.build.pipeline import Pipeline
from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.errors import BuildFailed, CommandFailed
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.testing.jobs import template
from imagefactory.testing.threads import ImmediateThreads
from tests.build.cases import PipelineCase

TARGETS = ("ec2", "rhevm")
EDITED = replace(template(), packages=("vim",))


@dataclass(frozen=True)
class Walk:
    """A way through the stages, with overlays or without, with a base that is cached (and not unpacked) or without."""

    layers: bool
    cached: bool
    steps: tuple[str, ...]


WALKS = (
    Walk(layers=True, cached=False, steps=("can_overlay", "base", "pack", "size", "lay", "customise", "adapt")),
    Walk(layers=False, cached=False, steps=("can_overlay", "base", "pack", "customise", "unpack", "adapt")),
    Walk(layers=True, cached=True, steps=("can_overlay", "unpack", "size", "lay", "customise", "pack", "adapt")),
    Walk(layers=False, cached=True, steps=("can_overlay", "unpack", "customise", "pack", "adapt")),
)


class FaultTests(PipelineCase):
    """Two targets of one template."""

    def points(self) -> Iterator[tuple[Walk, str]]:
        """Each step of each walk, with a factory of its own."""
        for walk in WALKS:
            for step in walk.steps:
                PipelineCase.setUp(self)
                self.actions.layers = walk.layers
                if walk.cached:
                    self.build(self.order(template=template()))
                    shutil.rmtree(self.root / "cache" / "tree", ignore_errors=True)
                self.restart()
                yield walk, step

    def restart(self) -> None:
        """Another process takes over."""
        self.actions.broken, self.actions.pause = {}, _go_on
        self.pipeline = Pipeline(self.tools)

    def begin_both(self) -> list[tuple[BuildOrder, Deferred[object]]]:
        return [(order, self.begin(order)) for order in (self.order(target, EDITED) for target in TARGETS)]

    def check_image(self, order: BuildOrder) -> None:
        """It has each step once, and nothing of another target."""
        self.assertEqual(f"base 12\ncustomise vim\nadapt {order.target}\n".encode(), self.image(order))

    def check_retry(self, point: tuple[Walk, str]) -> None:
        """Nothing is left; a retry succeeds, and leaves no entry of the cache in use."""
        self.assert_clean()
        self.assertEqual([], list((self.root / "cache" / "unpacking").glob("*")), point)
        self.actions.broken, self.actions.pause = {}, _go_on
        order = self.order("ec2", EDITED)
        self.build(order)
        self.check_image(order)
        CacheDirectory(self.root / "cache").evict(0)
        self.assertEqual([], [*(self.root / "cache").rglob("entry.json")], point)

    def test_a_fault(self) -> None:
        """Each build that needs the step fails with its error, any other one is right."""
        for point in self.points():
            self.actions.broken[point[1]] = BuildFailed("no")
            outcomes = [(order, build) for order, build in self.begin_both() if not self.failed(build)]
            self.assertLess(len(outcomes), 2, point)
            for order, _ in outcomes:
                self.check_image(order)
            self.check_retry(point)

    def failed(self, build: Deferred[object], error: type[Exception] = BuildFailed) -> bool:
        """Whether it has failed, with that error; it is over in any case."""
        ended: list[object] = []
        build.addBoth(ended.append)
        self.assertEqual(1, len(ended))
        failure = ended[0]
        if failure is None or not hasattr(failure, "check"):
            return False
        self.assertTrue(failure.check(error), failure)
        return True

    def test_one_is_cancelled(self) -> None:
        """The other one goes on, and its image is right."""
        for cancelled in (0, 1):
            for point in self.points():
                gate = self.wait_at(point[1])
                builds = self.begin_both()
                self.cancel(*builds[cancelled])
                gate.fire(None)
                order, other = builds[1 - cancelled]
                self.successResultOf(other)
                self.check_image(order)
                self.check_retry(point)

    def test_both_are_cancelled(self) -> None:
        """Both end at once."""
        for point in self.points():
            self.wait_at(point[1])
            for order, build in self.begin_both():
                self.cancel(order, build)
            self.check_retry(point)

    def cancel(self, order: BuildOrder, build: Deferred[object]) -> None:
        """Cancel it; one that did not need the step is over already."""
        if build.called:
            self.successResultOf(build)
            self.check_image(order)
        else:
            build.cancel()
            self.failureResultOf(build, CancelledError)

    def wait_at(self, step: str) -> Event[None]:
        """Let all that come to this step wait for the event."""
        gate: Event[None] = Event()

        async def pause(name: str) -> None:
            if name == step and not gate.fired:
                await gate.wait()

        self.actions.pause = pause
        return gate

    def test_a_clean_up_that_fails(self) -> None:
        """The error of the step is raised, not that of the clean-up; the journal knows what is left."""
        for point in self.points():
            self.tools = replace(self.tools, workspaces=Workspaces(self.imgdir, self.journal, busy, ImmediateThreads()))
            self.restart()
            self.actions.broken[point[1]] = BuildFailed("no")
            failures = [self.failed(build) for _, build in self.begin_both()]
            self.assertIn(True, failures, point)
            self.assertTrue(self.journal.noted, point)
            self.actions.broken = {}
            order = self.order("ec2", EDITED)
            self.successResultOf(self.begin(order))
            self.check_image(order)
            self.assertTrue(self.flushLoggedErrors(CommandFailed), point)


async def busy(path: Path) -> None:
    raise CommandFailed(f"removing {path}", "1")


async def _go_on(_step: str) -> None:
    pass
