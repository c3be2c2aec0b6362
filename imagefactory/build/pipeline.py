"""Builds one image for one target and stores it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imagefactory.build.actions import BuildContext, StageActions
from imagefactory.build.cache.interface import Entry, StageCache
from imagefactory.build.cache.kept_trees import KeptTrees
from imagefactory.build.image_writer import BuiltImage, ImageWriter
from imagefactory.build.interface import BuildOrder
from imagefactory.build.pending_uploads import PendingUploads
from imagefactory.build.stage_keys import StageKeys, stage_keys
from imagefactory.build.stages import ADAPTED, ICICLE, PLANNED, BuildStages
from imagefactory.build.tree_pool import TreePool
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.concurrency.shared import SharedRuns
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError, Forbidden, NoSpace, NotBooting, Unauthorized, Unavailable, Unsupported
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.model.jobs import Completed
from imagefactory.model.report import Progress, Report, Silence, StageOutcome
from imagefactory.model.template import OperatingSystem, Repository, Template
from imagefactory.systems.engines.interface import BasePlan, SystemKind
from imagefactory.targets.interface import Target

KEPT = "the image is kept: a retry only stores it"
_LATER = (Unavailable, NoSpace, Unauthorized, Forbidden)
"""What may keep the warehouse from taking an image today and not tomorrow."""

Merge = Callable[[Template, str], Awaitable[Template]]
"""Adds what the administrator wants in every image of a target."""
Prove = Callable[[Path, BuildContext, bytes, Report], Awaitable[Mapping[str, str]]]
"""Boots the finished image with that ICICLE; returns attributes for the target image."""


class Planner(Protocol):
    """The part of an engine that decides."""

    def check(self, template: Template) -> SystemKind:
        """See `Engine.check`."""
        ...

    async def plan(self, template: Template, report: Report) -> BasePlan:
        """See `Engine.plan`."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What the pipeline works with.

    `actions` has those for each kind of system; `target` finds a target by name and raises Unsupported; `processors`
    bounds how many images are made or booted at once.
    """

    planner: Planner
    actions: Mapping[SystemKind, StageActions]
    cache: StageCache
    kept: KeptTrees
    target: Callable[[str], Target]
    merge: Merge
    prove: Prove
    results: ImageWriter
    unstored: PendingUploads
    workspaces: Workspaces
    threads: Threads
    processors: Queue


class Pipeline:
    """The `Builder` of the job service."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._pools = {
            kind: TreePool(tools.workspaces, tools.kept, actions.can_overlay, actions.size)
            for kind, actions in tools.actions.items()
        }
        self._plans: SharedRuns[tuple[OperatingSystem, tuple[Repository, ...]], BasePlan] = SharedRuns()

    def known(self, target: str) -> None:
        """See `Builder`."""
        self._tools.target(target)

    async def check(self, template: Template, targets: Sequence[str]) -> None:
        """See `Builder`."""
        for target in map(self._tools.target, targets):
            if target.os:
                merged = await self._tools.merge(template, target.name)
                self._actions(self._tools.planner.check(merged)).check(merged, target)

    async def plan(self, template: Template, target: str) -> tuple[StageOutcome, ...]:
        """See `Builder`."""
        found = self._tools.target(target)
        if not found.os:
            return ()
        context = await self._context(template, found, Silence())
        return await self._look(stage_keys(context, self._actions(context.plan.kind)))

    async def build(self, order: BuildOrder, progress: Progress) -> Completed:
        """See `Builder`."""
        target = self._tools.target(order.target)
        if not target.os:
            return await self._placeholder(order, target, progress)
        return await self._store_again(order, progress) or await self._build(order, target, progress)

    async def _build(self, order: BuildOrder, target: Target, progress: Progress) -> Completed:
        tools = self._tools
        progress.activity("reading the package indexes")
        context = await self._context(order.template, target, progress.between(0, PLANNED))
        progress.reached(PLANNED)
        actions, pool = self._actions(context.plan.kind), self._pools[context.plan.kind]
        keys = stage_keys(context, actions)
        await self._report_unneeded(keys, progress)
        stages = BuildStages(context, keys, actions, tools.cache, pool, tools.processors)
        try:
            async with stages.image(progress) as image:
                return await self._store(order, context, image, progress)
        finally:
            await pool.removed()

    async def forget(self, id: str) -> None:
        """See `Builder`."""
        await self._tools.results.sweep(id)

    async def _placeholder(self, order: BuildOrder, target: Target, progress: Progress) -> Completed:
        progress.activity("storing")
        body = target.placeholder(order.template, order.id)
        parameters = target.parameters(order.template, order.id, len(body))
        await self._tools.results.store(order, BuiltImage(body, len(body), parameters=parameters))
        return Completed(size=len(body))

    def _actions(self, kind: SystemKind) -> StageActions:
        """Returns the actions for systems of that kind; raises Unsupported if there are none."""
        if kind not in self._tools.actions:
            raise Unsupported(
                f"this host cannot customise a system that is a {kind.value}",
                hint="use another engine (setting engine)",
            )
        return self._tools.actions[kind]

    async def _context(self, template: Template, target: Target, report: Report) -> BuildContext:
        merged = await self._tools.merge(template, target.name)
        wanted = (merged.os, merged.repositories)
        plan = await self._plans.run(wanted, lambda: self._tools.planner.plan(merged, report))
        return BuildContext(merged, plan, target)

    async def _look(self, keys: StageKeys) -> tuple[StageOutcome, ...]:
        cache = self._tools.cache
        return await self._tools.threads.run(lambda: tuple(map(cache.look, keys.stages)))

    async def _report_unneeded(self, keys: StageKeys, progress: Progress) -> None:
        """Report the cached stages before the first one that is needed: they are hits that nothing will read."""
        base, customised, adapted = await self._look(keys)
        unneeded = (base, customised) if adapted.hit else (base,) if customised.hit else ()
        for outcome in unneeded:
            if outcome.hit:
                progress.stage(outcome)

    async def _store(self, order: BuildOrder, context: BuildContext, image: Entry, progress: Progress) -> Completed:
        """Store the entry's own file: nothing is copied, wherever imgdir is."""
        icicle = image.facts[ICICLE].encode()
        notes, failure = await self._proof(order, context, image.path, icicle, progress)
        progress.activity("storing")
        parameters = context.target.parameters(context.template, order.id, image.size)
        finished = BuiltImage(image.path, image.size, image.content, icicle, parameters, notes)
        try:
            await self._tools.results.store(order, finished)
        except _LATER as error:
            if failure is None and await self._tools.unstored.keep(order.id, image.path, finished):
                raise _with_hint(error, KEPT) from error
            raise
        if failure is not None:
            raise failure
        return Completed(size=image.size)

    async def _store_again(self, order: BuildOrder, progress: Progress) -> Completed | None:
        """Store what an earlier run of this job has made and the warehouse did not take; None if there is nothing."""
        unstored = self._tools.unstored
        if not await unstored.has(order.id):
            return None
        finished = await unstored.find(order.id)
        if finished is None:
            return None
        progress.reached(ADAPTED)
        progress.activity("storing the image that was built before")
        await self._tools.results.store(order, finished)
        await unstored.drop(order.id)
        return Completed(size=finished.size)

    async def _proof(
        self, order: BuildOrder, context: BuildContext, body: Path, icicle: bytes, report: Report
    ) -> tuple[Mapping[str, str], NotBooting | None]:
        """What the boot check says of the image.

        One that does not boot is stored all the same, with the last lines of its serial port, so that its owner can
        find out why; its job fails.
        """
        if not order.boot_check:
            return {}, None
        try:
            async with self._tools.processors.place(order.id):
                return await self._tools.prove(body, context, icicle, report), None
        except NotBooting as failure:
            return {"boot_check": "failed", "boot_log": "\n".join(failure.tail)}, failure


def _with_hint(error: FactoryError, hint: str) -> FactoryError:
    """Returns the same error with one more hint; the error itself may be that of other jobs, too."""
    changed = copy(error)
    changed.hint = f"{error.hint}; {hint}" if error.hint else hint
    return changed
