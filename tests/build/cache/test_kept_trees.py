"""Unpacked trees in the cache: kept whole, never while they are used removed, unpacked again when in doubt."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.cache import kept_trees
from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.directory import Lease
from imagefactory.build.cache.kept_trees import KeptTrees
from imagefactory.build.cache.keys import stage_key
from imagefactory.lib.errors import CommandFailed
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.testing.build import FakeJournal, remove_all
from imagefactory.testing.threads import ImmediateThreads

T = TypeVar("T")
BASE = stage_key("base", {"suite": "bookworm"})
OTHER = stage_key("base", {"suite": "trixie"})
MIB = 1 << 20


class KeptTreesTests(SynchronousTestCase):
    """A cache with a limit of 3 MiB, and the same directory as another process sees it."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.clock = Clock()
        self.journal = FakeJournal()
        self.cache, self.trees = self.process()
        _, self.other = self.process()

    def process(self) -> tuple[DirectoryCache, KeptTrees]:
        threads = ImmediateThreads()
        cache = DirectoryCache(self.root, 3 * MIB, remove=self.remove, threads=threads, clock=self.clock)
        self.get(cache.start())
        workspaces = Workspaces(self.root.parent / "img", self.journal, remove_all, threads)
        trees = KeptTrees(self.root, workspaces=workspaces, evict=cache.evict, threads=threads, clock=self.clock)
        return cache, trees

    async def remove(self, path: Path) -> None:
        if path.exists():
            rmtree(path)

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def workspace(self) -> Path:
        """One with a tree."""
        path = self.get(self.trees.workspace())
        (path / "root").mkdir()
        return path

    def kept(self, stage: Any = BASE, size: int = MIB) -> Lease:
        """The lease of a tree that was kept just now."""
        self.clock.advance(1)
        lease = self.get(self.trees.keep(stage, self.workspace(), size))
        assert lease is not None
        return lease

    def found(self, trees: KeptTrees | None = None, stage: Any = BASE) -> Path | None:
        """Where a tree is, used for a moment."""
        lease = self.get((trees or self.trees).find(stage))
        if lease is None:
            return None
        lease.close()
        return lease.entry

    def test_kept_for_all_processes(self) -> None:
        """It is moved, not copied, and found under its stage only."""
        lease = self.kept()
        self.assertTrue((lease.entry / "root").is_dir())
        self.assertEqual([], list((self.root / "unpacking").iterdir()))
        self.assertEqual((lease.entry, lease.entry), (self.found(), self.found(self.other)))
        self.assertIsNone(self.found(stage=OTHER))

    def test_evicted_like_any_entry(self) -> None:
        """What was not used for longest goes; what another process uses stays."""
        for stage in (BASE, OTHER):
            self.kept(stage).close()
        self.clock.advance(1)
        used = self.get(self.other.find(BASE))
        assert used is not None
        self.kept(stage_key("base", {}), 2 * MIB).close()
        self.assertEqual((True, False), (self.found() is not None, self.found(stage=OTHER) is not None))
        used.close()
        self.kept(OTHER, 4 * MIB).close()
        self.assertIsNone(self.found())

    def test_files_of_subordinate_users(self) -> None:
        """They are removed by the privileged helper; one that fails fails nothing, and the next start tries again."""
        self.kept().close()
        with patch("imagefactory.build.cache.directory.shutil.rmtree"):
            with patch.object(self.cache, "_remove_tree", side_effect=CommandFailed("removing", "1")):
                self.kept(OTHER, 3 * MIB)
            self.assertEqual(1, len(list((self.root / "trash").iterdir())))
            self.process()
        self.assertEqual([], list((self.root / "trash").iterdir()))

    def test_the_tree_of_an_earlier_start_of_the_host(self) -> None:
        """A power cut may have taken some of it: it is not used, and a new one takes its place."""
        self.kept().close()
        with patch.object(kept_trees, "boot_id", return_value="later"):
            self.assertIsNone(self.found())
            self.kept().close()
            self.assertIsNotNone(self.found())

    def test_an_unreadable_sidecar(self) -> None:
        """The tree is not used; it can be replaced."""
        lease = self.kept()
        lease.close()
        (lease.entry / "entry.json").write_text("{}")
        self.assertIsNone(self.found())
        self.kept().close()
        self.assertIsNotNone(self.found())

    def test_one_that_is_used_is_not_replaced(self) -> None:
        """The second workspace stays where it is."""
        lease = self.kept()
        second = self.workspace()
        self.assertIsNone(self.get(self.other.keep(BASE, second, MIB)))
        self.assertTrue(second.exists())
        lease.close()
        self.assertIsNotNone(self.get(self.other.keep(BASE, second, MIB)))

    def test_another_file_system(self) -> None:
        """A tree is never copied, and one that is kept already stays."""
        self.kept().close()
        second = self.workspace()
        with patch("imagefactory.build.cache.directory.CacheDirectory.on_one_file_system", return_value=False):
            self.assertIsNone(self.get(self.trees.keep(BASE, second, MIB)))
        self.assertTrue(second.exists())
        self.assertIsNotNone(self.found())

    def test_a_full_disk(self) -> None:
        """The build goes on with its own tree."""
        workspace = self.workspace()
        with patch.object(kept_trees, "encode", side_effect=OSError(28, os.strerror(28))):
            self.assertIsNone(self.get(self.trees.keep(BASE, workspace, MIB)))
        self.assertTrue(workspace.exists())
        self.assertEqual([], list((self.root / "locks").iterdir()))

    def test_killed_before_the_last_step(self) -> None:
        """What is not in its place is not there for any build, and the journal knows it."""
        workspace = self.workspace()
        self.assertEqual({workspace}, self.journal.noted)
        self.assertIsNone(self.found(self.process()[1]))

    def test_a_failing_eviction_gives_the_lease_back(self) -> None:
        """The tree can be evicted later."""
        workspace = self.workspace()
        with patch.object(self.trees, "_evict", side_effect=OSError("no")):
            self.failureResultOf(Deferred.fromCoroutine(self.trees.keep(BASE, workspace, MIB)), OSError)
        self.kept(OTHER, 3 * MIB).close()
        self.assertIsNone(self.found())
