"""The customised system is packed for the cache while it is adapted already."""

from dataclasses import replace
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.pipeline import Pipeline
from imagefactory.lib.errors import BuildFailed, NoSpace
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.testing.build import remove_all, remove_flat
from imagefactory.testing.jobs import template
from imagefactory.testing.threads import ImmediateThreads
from tests.build.cases import PipelineCase

EDITED = replace(template(), packages=("vim",))


class PackingTests(PipelineCase):
    """One package more than a build before; the steps of `gates` wait."""

    def setUp(self) -> None:
        super().setUp()
        self.build(self.order())
        self.actions.steps.clear()
        self.gates: dict[str, Deferred[None]] = {"pack": Deferred()}
        self.actions.pause = self.pause

    async def pause(self, step: str) -> None:
        if step in self.gates:
            await self.gates[step]

    def edit(self) -> Deferred[object]:
        return self.begin(self.order(template=EDITED))

    def fails(self, step: str, build: Deferred[object], error: Exception) -> None:
        """Let a step that waits fail, and the build with it; nothing is left or stored."""
        self.actions.broken[step] = error
        self.gates.pop(step).callback(None)
        self.failureResultOf(build, type(error))
        self.assert_clean()

    def test_packing_and_adapting_at_once(self) -> None:
        """The build is done when both are."""
        build = self.edit()
        self.assertEqual(["customise", "adapt"], self.actions.steps)
        self.assertNoResult(build)
        self.gates["pack"].callback(None)
        self.successResultOf(build)
        self.assertEqual(["customise", "adapt", "pack"], self.actions.steps)
        self.assert_clean()

    def test_one_after_the_other_where_no_tree_can_be_laid_over_another(self) -> None:
        """The tree must not be changed while it is packed."""
        self.actions.layers = False
        self.pipeline = Pipeline(self.tools)
        build = self.edit()
        self.assertEqual(["unpack", "customise"], self.actions.steps)
        self.gates["pack"].callback(None)
        self.successResultOf(build)
        self.assertEqual(["unpack", "customise", "pack", "adapt"], self.actions.steps)
        self.assert_clean()

    def test_packing_fails_when_the_image_is_made(self) -> None:
        """The build has failed: the cache has not the place for it that later stages count on."""
        build = self.edit()
        self.assertEqual("adapt", self.actions.steps[-1])
        self.fails("pack", build, NoSpace("no space left"))

    def test_packing_fails_while_the_image_is_made(self) -> None:
        """Adapting is ended at once."""
        self.gates["adapt"] = Deferred()
        self.fails("pack", self.edit(), NoSpace("no space left"))

    def test_adapting_fails(self) -> None:
        """The stage before it is finished all the same: a hit for the next build."""
        self.actions.broken["adapt"] = BuildFailed("no such package")
        build = self.edit()
        self.assertNoResult(build)
        self.gates.pop("pack").callback(None)
        self.failureResultOf(build, BuildFailed)
        self.assert_clean()
        self.actions.broken.clear()
        self.assertTrue(self.build(self.order(template=EDITED)).outcomes["customise"].hit)

    def test_cancelled(self) -> None:
        """Both end; the next build begins again with that stage."""
        self.gates["adapt"] = Deferred()
        build = self.edit()
        build.cancel()
        self.failureResultOf(build, CancelledError)
        self.assert_clean()
        self.gates.clear()
        self.assertFalse(self.build(self.order(template=EDITED)).outcomes["customise"].hit)

    def test_one_of_two_is_cancelled(self) -> None:
        """The other goes on with both steps, and nothing of the cache stays in use when all is done."""
        first, second = self.edit(), self.edit()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.gates.pop("pack").callback(None)
        self.successResultOf(second)
        self.assertEqual(["customise", "adapt", "pack"], self.actions.steps)
        self.assert_clean()
        small = DirectoryCache(self.root / "cache", 0, remove=remove_all, threads=ImmediateThreads(), clock=Clock())
        self.get(small.start())
        self.assertEqual([], list((self.root / "cache").rglob("body")))

    def test_trees_go_while_the_image_is_stored(self) -> None:
        """That takes its time; the job's end waits for both."""
        self.gates = {"prove": Deferred()}
        self.pipeline = Pipeline(replace(self.tools, prove=self.proof))
        build = self.begin(self.order(template=EDITED, boot_check=True))
        self.assertNoResult(build)
        self.assert_clean()
        self.gates["prove"].callback(None)
        self.successResultOf(build)

    def test_the_image_is_stored_while_trees_go(self) -> None:
        """None of them holds it up, with layers and without."""
        for self.actions.layers, package in ((True, "vim"), (False, "nano")):
            self.gates = {"remove": Deferred()}
            workspaces = Workspaces(self.imgdir, self.journal, self.remove, ImmediateThreads())
            self.pipeline = Pipeline(replace(self.tools, workspaces=workspaces))
            order = self.order(template=replace(EDITED, packages=(package,)))
            build = self.begin(order)
            self.assertIsNotNone(self.image(order))
            self.assertNoResult(build)
            self.gates["remove"].callback(None)
            self.successResultOf(build)
            self.assert_clean()

    async def remove(self, path: Path) -> None:
        """Waits, unless the workspace is one in which nothing was made."""
        if (path / "root").exists():
            await self.pause("remove")
        await remove_flat(path)

    async def proof(self, *_: object) -> dict[str, str]:
        await self.pause("prove")
        return {}
