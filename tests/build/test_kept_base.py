"""A base that was built or unpacked once is not unpacked again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from unittest.mock import patch

from twisted.internet.defer import Deferred

from imagefactory.build.cache.directory import CacheDirectory
from imagefactory.build.pipeline import Pipeline
from imagefactory.lib.errors import BuildFailed
from imagefactory.testing.jobs import template
from tests.build.cases import PipelineCase, nothing

EDITED = ["customise", "pack", "adapt"]


class KeptBaseTests(PipelineCase):
    """Builds of other packages on one base."""

    def edit(self, name: str) -> list[str]:
        """The steps of a build with that package; its image must be right."""
        self.actions.steps.clear()
        order = self.order(template=replace(template(), packages=(name,)))
        self.build(order)
        self.assertEqual(f"base 12\ncustomise {name}\nadapt ec2\n".encode(), self.image(order))
        return self.actions.steps

    def restart(self) -> None:
        """Another process takes over."""
        self.pipeline = Pipeline(self.tools)

    def trees(self) -> list[str]:
        return [path.parent.name for path in (self.root / "cache" / "tree").glob("*/root")]

    def test_kept_by_the_build_that_made_it(self) -> None:
        """In this process and in the next one."""
        self.build(self.order())
        self.assertEqual(EDITED, self.edit("vim"))
        self.restart()
        self.assertEqual(EDITED, self.edit("nano"))

    def test_evicted(self) -> None:
        """It is unpacked from the archive, and kept again."""
        self.build(self.order())
        shutil.rmtree(self.root / "cache" / "tree")
        self.assertEqual(["unpack", *EDITED], self.edit("vim"))
        self.assertEqual(EDITED, self.edit("nano"))

    def test_built_on_another_file_system(self) -> None:
        """It is not copied; the first build that unpacks it keeps it."""
        with patch.object(CacheDirectory, "on_one_file_system", return_value=False):
            self.build(self.order())
        self.assertEqual([], self.trees())
        self.assertEqual(["unpack", *EDITED], self.edit("vim"))
        self.assertEqual(EDITED, self.edit("nano"))

    def test_without_layers(self) -> None:
        """Each build changes a tree of its own, so none is kept or used."""
        self.build(self.order())
        self.actions.layers = False
        self.restart()
        self.assertEqual(["unpack", *EDITED], self.edit("vim"))
        shutil.rmtree(self.root / "cache")
        self.get(self.cache.start())
        self.build(self.order())
        self.assertEqual([], self.trees())

    def test_used_by_two_builds_at_once(self) -> None:
        """It cannot be evicted before the image of the last one is made."""
        self.build(self.order())
        gates = {"vim": Deferred[None](), "nano": Deferred[None]()}
        builds = []
        for gate in gates.values():
            self.actions.pause = lambda step, gate=gate: gate if step == "adapt" else nothing()
            name = next(name for name in gates if gates[name] is gate)
            builds.append(self.begin(self.order(template=replace(template(), packages=(name,)))))
        small = CacheDirectory(self.root / "cache")
        small.evict(0)
        self.assertEqual(1, len(self.trees()))
        gates["vim"].callback(None)
        small.evict(0)
        self.assertEqual(1, len(self.trees()))
        gates["nano"].callback(None)
        for build in builds:
            self.successResultOf(build)
        small.evict(0)
        self.assertEqual([], self.trees())
        self.assert_clean()

    def test_unpacking_fails(self) -> None:
        """Nothing is kept or left; the next build unpacks it."""
        self.build(self.order())
        shutil.rmtree(self.root / "cache" / "tree")
        self.actions.broken["unpack"] = BuildFailed("no")
        self.failureResultOf(self.begin(self.order(template=replace(template(), packages=("vim",)))), BuildFailed)
        self.assert_clean()
        self.assertEqual([], [*self.trees(), *(self.root / "cache" / "unpacking").iterdir()])
        self.actions.broken.clear()
        self.assertEqual(["unpack", *EDITED], self.edit("vim"))

    def test_a_base_that_is_made_again(self) -> None:
        """Its tree takes the place of the one that was kept."""
        self.build(self.order())
        for body in (self.root / "cache").glob("base/*/body"):
            body.unlink()
        self.assertEqual(["base", "pack", *EDITED], self.edit("vim"))
        self.assertEqual(1, len(self.trees()))
