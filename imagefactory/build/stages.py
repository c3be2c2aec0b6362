"""The stages of one build: base, customise, adapt.

Each stage asks for the tree of the one before, so that nothing is made or read that the cache makes unnecessary.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import CancelledError

from imagefactory.build.actions import BuildContext, StageActions
from imagefactory.build.cache.interface import Entry, Producer, StageCache, StageKey
from imagefactory.build.stage_keys import StageKeys
from imagefactory.build.tree_pool import Fill, PooledTree, TreePool
from imagefactory.lib.concurrency.event import either
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.concurrency.task import Task
from imagefactory.model.report import Progress, Report

T = TypeVar("T")
Borrow = Callable[[PooledTree, Fill], AbstractAsyncContextManager[Path]]

#: The fact of a customised or adapted result that holds its ICICLE.
ICICLE = "icicle"

#: Percent of a job at the end of each stage, as version 1.0 counted: planned, base installed, customised, adapted.
PLANNED, BASE, CUSTOMISED, ADAPTED = 10, 30, 50, 95


@dataclass(frozen=True, slots=True)
class StageTree:
    """The tree of a stage while it is used.

    `pooled` has it, or will have it; `packed` ends when the cache has it, too. `scope` ends the work on the tree when
    packing fails.
    """

    pooled: PooledTree
    packed: Task[Entry]
    scope: Scope

    async def work(self, step: Awaitable[T]) -> T:
        """Returns what `step` does; if it fails, the stage is packed first, so that a retry begins behind it."""
        working = self.scope.start(self._patient(step))
        interruption = await working.settled(working.cancel)  # what it works on is removed after it has ended
        if interruption is not None:
            raise interruption
        return await working

    async def _patient(self, step: Awaitable[T]) -> T:
        try:
            return await step
        except CancelledError:
            raise
        except Exception:
            interruption = await self.packed.settled(self.packed.cancel)
            if interruption is not None:
                raise interruption from None
            raise


@dataclass(frozen=True, slots=True)
class BuildStages:
    """Makes the stages of one build, or finds them in the cache.

    A stage is made in a run of the cache, which other jobs may share: it goes on for them when this job is cancelled.

    Args:
        processors: a place for each image that is made at the same time; all targets of a build are adapted at once.
    """

    context: BuildContext
    keys: StageKeys
    actions: StageActions
    cache: StageCache
    pool: TreePool
    processors: Queue

    @asynccontextmanager
    async def image(self, progress: Progress) -> AsyncIterator[Entry]:
        """The target's image file; its facts have its own ICICLE, because a target may need more packages."""
        entry = await self.cache.obtain(self.keys.adapt, self._adapt, progress)
        try:
            yield entry
        finally:
            self.cache.release(entry)

    async def _base(self, archive: Path, progress: Progress) -> Mapping[str, str]:
        report = progress.between(PLANNED, BASE)
        async with self.pool.workspace("base") as workspace:
            report.activity("installing the base system")
            await self.actions.base(self.context, workspace, report)
            await self._pack(workspace, archive, report)
            await self.pool.keep(self.keys.base, workspace)
        return {}

    async def _customise(self, archive: Path, progress: Progress) -> Mapping[str, str]:
        """Publish the customised tree before it is packed: it can be adapted meanwhile."""
        report = progress.between(BASE, CUSTOMISED)
        own = self.keys.customise
        async with self._tree(self.keys.base, self._base, progress) as base:
            progress.reached(BASE)
            with self.pool.use(own):
                async with self._copy(base, "customise", report, self.pool.borrow_kept) as workspace:
                    report.activity("customising")
                    icicle = await self.actions.customise(self.context, workspace, report)
                    self.pool.publish(own, workspace, self.keys.base)
                    await self._pack(workspace, archive, report)
        return {ICICLE: icicle.decode()}

    async def _adapt(self, image: Path, progress: Progress) -> Mapping[str, str]:
        report, seed = progress.between(CUSTOMISED, ADAPTED), self.keys.adapt.digest
        async with self._tree(self.keys.customise, self._customise, progress) as customised:
            progress.reached(CUSTOMISED)
            laying = self._copy(customised, "adapt", report, self.pool.borrow)
            async with self.processors.place(seed), laying as workspace:
                report.activity(f"adapting to {self.context.target.name}")
                adapting = self.actions.adapt(self.context, workspace, image, seed, report)
                icicle = await customised.work(adapting)
        return {ICICLE: icicle.decode()}

    @asynccontextmanager
    async def _tree(self, key: StageKey, produce: Producer, progress: Progress) -> AsyncIterator[StageTree]:
        """The tree of a stage, as soon as it can be used; when the block ends, the cache has it, too."""
        with ExitStack() as held, self.pool.use(key) as pooled:
            async with Scope() as scope:
                packed = scope.start(self._packed(key, produce, progress, held))
                await either(pooled.ready, packed.ended)
                if packed.ended.fired:
                    await packed
                yield StageTree(pooled, packed, scope)
                await packed

    async def _packed(self, key: StageKey, produce: Producer, progress: Progress, held: ExitStack) -> Entry:
        entry = await self.cache.obtain(key, produce, progress)
        held.callback(self.cache.release, entry)
        return entry

    @asynccontextmanager
    async def _copy(self, tree: StageTree, name: str, report: Report, borrow: Borrow) -> AsyncIterator[Path]:
        """A workspace with the tree, to be changed: a layer over the one tree of all builds where the host can."""
        if not await self.pool.overlays():
            async with self._own_copy(tree, name, report) as workspace:
                yield workspace
            return

        async def unpack(workspace: Path) -> None:
            await self._unpack(await tree.packed, workspace, report)

        async with borrow(tree.pooled, unpack) as below, self.pool.workspace(name) as workspace:
            await self.actions.lay(below, workspace)
            yield workspace

    @asynccontextmanager
    async def _own_copy(self, tree: StageTree, name: str, report: Report) -> AsyncIterator[Path]:
        """A workspace with the tree itself once it is packed, if no other build uses it, else unpacked anew."""
        entry = await tree.packed
        taken = self.pool.take(tree.pooled)
        async with self.pool.workspace(name, taken) as workspace:
            if taken is None:
                await self._unpack(entry, workspace, report)
            yield workspace

    async def _pack(self, workspace: Path, archive: Path, report: Report) -> None:
        report.activity("packing for the cache")
        await self.actions.pack(workspace, archive)

    async def _unpack(self, entry: Entry, workspace: Path, report: Report) -> None:
        report.activity(f"unpacking the {entry.key.kind} stage")
        await self.actions.unpack(entry.path, workspace)
