"""Makes the stages of one build, or finds them in the cache."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from twisted.internet.defer import CancelledError

from imagefactory.build.actions import BuildContext, StageActions
from imagefactory.build.cache.interface import Entry, Producer, StageCache, StageKey
from imagefactory.build.stage_keys import StageKeys
from imagefactory.build.tree_pool import TreePool
from imagefactory.lib.concurrency.event import either
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.concurrency.task import Task
from imagefactory.model.report import Report

#: The fact of a customised or adapted result that holds its ICICLE.
ICICLE = "icicle"


class BuildStages:
    """The stages of one build, to be made in `async with`.

    A stage is made in a room of its own, never in the job's: other jobs that wait for the same stage go on with it
    when this job is cancelled. All targets of a build come to be adapted at once:
    `processors` has a place for so many. While the customised system is packed, it is adapted already.
    """

    def __init__(
        self,
        piece: BuildContext,
        keys: StageKeys,
        actions: StageActions,
        cache: StageCache,
        tree_pool: TreePool,
        *,
        processors: Queue,
    ) -> None:
        self._piece = piece
        self._keys = keys
        self._actions = actions
        self._cache = cache
        self._pool = tree_pool
        self._processors = processors
        self._held: dict[str, Entry] = {}
        self._scope = Scope()
        self._packed: Task[Entry] | None = None
        self._users = 0
        self._wanted: tuple[str, ...] = ()

    async def __aenter__(self) -> Self:
        self._users += 1
        self._wanted = tuple(key.digest for key in self._keys.stages)
        self._pool.want(self._wanted)
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Done with all of them; a stage that others wait for may still be made."""
        try:
            await self._scope.__aexit__(kind, value, trace)
        finally:
            self._leave()
            await self._clear()

    async def _clear(self) -> None:
        """No tree is needed any more."""
        wanted, self._wanted = self._wanted, ()
        await self._pool.leave(wanted)

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        self._users -= 1
        while self._held and not self._users:
            self._cache.release(self._held.popitem()[1])

    async def base(self, report: Report) -> Entry:
        """The base system, packed."""
        return await self._obtain(self._keys.base, self._make_base, report)

    async def customised(self, report: Report) -> None:
        """The customised system, so far that it can be adapted."""
        self._packed = self._scope.start(self._customised(report))
        await self._usable(self._packed)

    async def adapted(self, report: Report) -> Entry:
        """The target's image file; its facts have its own ICICLE, because a target may need more packages."""
        entry = await self._scope.start(self._obtain(self._keys.adapt, self._make_adapted, report))
        if self._packed is not None:
            await self._packed
        return entry

    async def _customised(self, report: Report) -> Entry:
        """The customised system, packed; its facts have the ICICLE."""
        return await self._obtain(self._keys.customise, self._make_customised, report)

    async def _obtain(self, key: StageKey, produce: Producer, report: Report) -> Entry:
        """Obtain it once: to look at an entry means to read all of it."""
        if key.kind in self._held:
            return self._held[key.kind]
        entry = await self._cache.obtain(key, produce, report)
        if key.kind in self._held:  # asked for twice at the same time
            self._cache.release(entry)
        return self._held.setdefault(key.kind, entry)

    async def _make_base(self, archive: Path, report: Report) -> Mapping[str, str]:
        async with self._pool.room("base", "", self._keys.base.digest) as (room, _):
            report.activity("installing the base system")
            await self._actions.base(self._piece, room, report)
            await self._pack(room, archive, report)
        return {}

    async def _make_customised(self, archive: Path, report: Report) -> Mapping[str, str]:
        parent, own = self._keys.base.digest, self._keys.customise.digest
        async with self._used(), self._pool.room("customise", parent, own) as (room, filled):
            if not filled:
                await self._unpack(await self.base(report), room, report)
            report.activity("customising")
            icicle = await self._actions.customise(self._piece, room, report)
            self._pool.show(own, room)
            await self._pack(room, archive, report)
        return {ICICLE: icicle.decode()}

    async def _make_adapted(self, image: Path, report: Report) -> Mapping[str, str]:
        seed = self._keys.adapt.digest
        async with self._used(), Scope() as scope:
            packed = scope.start(self._customised(report))
            await self._usable(packed)
            async with self._processors.place(seed), self._copy(packed, report) as room:
                report.activity(f"adapting to {self._piece.target.name}")
                adapting = self._actions.adapt(self._piece, room, image, seed, report)
                icicle = await scope.start(_patient(adapting, packed))
        if self._wanted:  # all rooms go while the image is read and stored: that is another file
            self._scope.start(self._clear())
        return {ICICLE: icicle.decode()}

    async def _usable(self, packed: Task[Entry]) -> None:
        """Wait until there is a tree of the customised system here, or an entry to unpack."""
        await either(self._pool.shown(self._keys.customise.digest), packed.ended)
        if packed.ended.fired:
            await packed

    @asynccontextmanager
    async def _copy(self, packed: Task[Entry], report: Report) -> AsyncIterator[Path]:
        """A room with the customised system, to be changed: a layer over the one tree of all targets, if this host can
        do that."""

        async def unpack(room: Path) -> None:
            await self._unpack(await packed, room, report)

        digest, own = self._keys.customise.digest, self._keys.adapt.digest
        below = await self._pool.lend("customise", digest, unpack)
        async with self._pool.room("adapt") as (room, _):
            if await self._actions.lay(below, room):
                yield room
                self._pool.show(own, room)
                return
        await packed
        async with self._pool.room("adapt", digest, own) as (room, filled):
            if not filled:
                await unpack(room)
            yield room

    async def _pack(self, room: Path, archive: Path, report: Report) -> None:
        report.activity("packing for the cache")
        await self._actions.pack(room, archive)

    async def _unpack(self, entry: Entry, room: Path, report: Report) -> None:
        report.activity(f"unpacking the {entry.key.kind} stage")
        await self._actions.unpack(entry.path, room)


async def _patient(work: Awaitable[bytes], packed: Task[Entry]) -> bytes:
    """The outcome of `work`; should it fail, the stage before it is finished first, for a retry."""
    try:
        return await work
    except CancelledError:
        raise
    except Exception:
        interruption = await packed.settled(packed.cancel)
        if interruption is not None:
            raise interruption from None
        raise
