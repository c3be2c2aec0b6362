"""Which build of an image is the latest, which is not pushed yet, and which came before which.

As version 1.0 kept it, with two repairs: an id is absent where 1.0 wrote the text None, and a target that fails does
not keep the targets beside it from counting (1.0 moved `latest_unpushed` only when all had been built).
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import DeferredLock

from imagefactory.model.records import BuildRecord, ImageRecord
from imagefactory.warehouse.records import Records


class LatestBuild:
    """Moves the pointers of images; one change at a time, because each reads before it writes."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._one = DeferredLock()

    async def built(self, image_id: str, build_id: str) -> None:
        """All jobs of a request have ended and at least one has an image.

        A build that is older than the latest one (a late retry) changes nothing.
        """
        async with self._one:
            image, build = await self._both(image_id, build_id)
            if image is None or build is None or build_id in {image.latest_unpushed, image.latest_build}:
                return
            previous = image.latest_unpushed or image.latest_build
            if previous is None or await self._is_later(build, previous):
                await self._records.store_image(replace(image, latest_unpushed=build_id))
                await self._set_parent(build, previous)

    async def pushed(self, image_id: str, build_id: str) -> None:
        """A target image of the build is at a provider."""
        async with self._one:
            image, build = await self._both(image_id, build_id)
            if image is None or build is None:
                return
            unpushed = None if image.latest_unpushed == build_id else image.latest_unpushed
            await self._records.store_image(replace(image, latest_build=build_id, latest_unpushed=unpushed))
            await self._set_parent(build, image.latest_build)

    async def imported(self, image_id: str, build_id: str) -> None:
        """An image was made known that a provider has already."""
        async with self._one:
            image, build = await self._both(image_id, build_id)
            if image is not None and build is not None:
                await self._records.store_image(replace(image, latest_build=build_id))
                await self._set_parent(build, image.latest_build)

    async def _both(self, image_id: str, build_id: str) -> tuple[ImageRecord | None, BuildRecord | None]:
        return await self._records.image(image_id), await self._records.build(build_id)

    async def _is_later(self, build: BuildRecord, previous: str) -> bool:
        other = await self._records.build(previous)
        return other is None or build.timestamp >= other.timestamp

    async def _set_parent(self, build: BuildRecord, parent: str | None) -> None:
        if parent is not None and parent != build.id and build.parent is None:
            await self._records.store_build(replace(build, parent=parent))
