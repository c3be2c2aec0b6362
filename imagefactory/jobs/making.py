"""Makes the stages of one build, or finds them in the cache."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from imagefactory.jobs.attic import Attic
from imagefactory.jobs.craft import Craft, Piece
from imagefactory.jobs.lanes import Lane
from imagefactory.jobs.recipe import Recipe
from imagefactory.model.report import Report
from imagefactory.stages.interface import Entry, Producer, StageCache, StageKey

#: The fact of a customised or adapted result that holds its ICICLE.
ICICLE = "icicle"


class Making:
    """The stages of one build.

    A stage is made in a room of its own, never in the job's: other jobs that wait for the same stage go on with it
    when this job is cancelled. All targets of a build come to be adapted at once:
    `processors` has a place for so many.
    """

    def __init__(
        self, piece: Piece, keys: Recipe, craft: Craft, cache: StageCache, attic: Attic, *, processors: Lane
    ) -> None:
        self._piece = piece
        self._keys = keys
        self._craft = craft
        self._cache = cache
        self._attic = attic
        self._processors = processors
        self._held: dict[str, Entry] = {}

    async def base(self, report: Report) -> Entry:
        """The base system, packed."""
        return await self._obtain(self._keys.base, self._make_base, report)

    async def customised(self, report: Report) -> Entry:
        """The customised system, packed; its facts have the ICICLE."""
        return await self._obtain(self._keys.customise, self._make_customised, report)

    async def adapted(self, report: Report) -> Entry:
        """The target's image file; its facts have its own ICICLE, because a target may need more packages."""
        return await self._obtain(self._keys.adapt, self._make_adapted, report)

    def release(self) -> None:
        """Done with all of them."""
        while self._held:
            self._cache.release(self._held.popitem()[1])

    async def _obtain(self, key: StageKey, produce: Producer, report: Report) -> Entry:
        """Obtain it once: to look at an entry means to read all of it."""
        if key.kind not in self._held:
            self._held[key.kind] = await self._cache.obtain(key, produce, report)
        return self._held[key.kind]

    async def _make_base(self, archive: Path, report: Report) -> Mapping[str, str]:
        async with self._attic.room("base", "", self._keys.base.digest) as (room, _):
            report.activity("installing the base system")
            await self._craft.base(self._piece, room, report)
            await self._pack(room, archive, report)
        return {}

    async def _make_customised(self, archive: Path, report: Report) -> Mapping[str, str]:
        async with self._attic.room("customise", self._keys.base.digest, self._keys.customise.digest) as (room, filled):
            if not filled:
                await self._unpack(await self.base(report), room, report)
            report.activity("customising")
            icicle = await self._craft.customise(self._piece, room, report)
            await self._pack(room, archive, report)
        return {ICICLE: icicle.decode()}

    async def _make_adapted(self, image: Path, report: Report) -> Mapping[str, str]:
        customised = await self.customised(report)
        seed = self._keys.adapt.digest
        async with self._processors.place(seed), self._copy(customised, report) as room:
            report.activity(f"adapting to {self._piece.target.name}")
            icicle = await self._craft.adapt(self._piece, room, image, seed, report)
        return {ICICLE: icicle.decode()}

    @asynccontextmanager
    async def _copy(self, customised: Entry, report: Report) -> AsyncIterator[Path]:
        """A room with the customised system, to be changed: a layer over the one tree of all targets, if this host can
        do that."""
        digest = self._keys.customise.digest
        below = await self._attic.lend("customise", digest, lambda room: self._unpack(customised, room, report))
        async with self._attic.room("adapt") as (room, _):
            if await self._craft.lay(below, room):
                yield room
                return
        async with self._attic.room("adapt", digest) as (room, filled):
            if not filled:
                await self._unpack(customised, room, report)
            yield room

    async def _pack(self, room: Path, archive: Path, report: Report) -> None:
        report.activity("packing for the cache")
        await self._craft.pack(room, archive)

    async def _unpack(self, entry: Entry, room: Path, report: Report) -> None:
        report.activity(f"unpacking the {entry.key.kind} stage")
        await self._craft.unpack(entry.path, room)
