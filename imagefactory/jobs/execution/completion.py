"""What has to happen when a job ends, before its end is shown: the pointers of its image move.

They say which build of an image is the latest, which is not pushed yet, and which came before which.

As version 1.0 kept it, with two repairs: an id is absent where 1.0 wrote the text None, and a target that fails does
not keep the targets beside it from counting (1.0 moved `latest_unpushed` only when all had been built).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from twisted.logger import Logger

from imagefactory.jobs.state.job_log import JobLog
from imagefactory.jobs.store.interface import GroupState
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Completed, Job, Operation, State
from imagefactory.model.records import BuildRecord, ImageRecord
from imagefactory.warehouse.interface import Changed
from imagefactory.warehouse.records import Records

TRIES = 20
"""How often a change is decided anew because another process has changed the same record meanwhile."""

Decide = Callable[[ImageRecord, BuildRecord], Awaitable[tuple[ImageRecord, str | None]]]
"""Returns the image as it shall be, and which build came before this one (None: none, or it is not to be noted)."""


class LatestBuild:
    """Moves the pointers of images, which other jobs and other processes move, too.

    Each method reads both records, decides, and writes only if the image is still as it was read; else it begins again.
    """

    def __init__(self, records: Records) -> None:
        self._records = records

    async def built(self, image_id: str, build_id: str) -> None:
        """All jobs of a request have ended and at least one has an image.

        A build that is older than the latest one (a late retry) changes nothing.
        """

        async def decide(image: ImageRecord, build: BuildRecord) -> tuple[ImageRecord, str | None]:
            previous = image.latest_unpushed or image.latest_build
            if build_id in {image.latest_unpushed, image.latest_build}:
                return image, None
            if previous is not None and not await self._is_later(build, previous):
                return image, None
            return replace(image, latest_unpushed=build_id), previous

        await self._move(image_id, build_id, decide)

    async def pushed(self, image_id: str, build_id: str) -> None:
        """A target image of the build is at a provider."""

        async def decide(image: ImageRecord, _build: BuildRecord) -> tuple[ImageRecord, str | None]:
            unpushed = None if image.latest_unpushed == build_id else image.latest_unpushed
            return replace(image, latest_build=build_id, latest_unpushed=unpushed), image.latest_build

        await self._move(image_id, build_id, decide)

    async def imported(self, image_id: str, build_id: str) -> None:
        """An image was made known that a provider has already."""

        async def decide(image: ImageRecord, _build: BuildRecord) -> tuple[ImageRecord, str | None]:
            return replace(image, latest_build=build_id), image.latest_build

        await self._move(image_id, build_id, decide)

    async def _move(self, image_id: str, build_id: str, decide: Decide) -> None:
        for tries in range(1, TRIES + 1):
            image, build = await self._records.image(image_id), await self._records.build(build_id)
            if image is None or build is None:  # deleted meanwhile
                return
            try:
                await self._write(image, build, *await decide(image, build))
            except Changed:
                if tries == TRIES:
                    raise
            else:
                return

    async def _write(self, image: ImageRecord, build: BuildRecord, wanted: ImageRecord, parent: str | None) -> None:
        if wanted != image:
            await self._records.change(image, wanted)
        if parent is not None and parent != build.id and build.parent is None:
            await self._records.change(build, replace(build, parent=parent))

    async def _is_later(self, build: BuildRecord, previous: str) -> bool:
        other = await self._records.build(previous)
        return other is None or build.timestamp >= other.timestamp


class GroupCompletion:
    """Moves an image's pointers when the last build job of a request, or a push, has ended.

    Before, not after: a client that sees COMPLETED may push the latest build in the next moment. The store knows the
    jobs of a request, so that one of several processes finds its job to be the last.
    """

    _log = Logger()

    def __init__(self, job_log: JobLog, latest: LatestBuild) -> None:
        self._job_log = job_log
        self._latest = latest

    async def ended(self, job: Job, state: State) -> None:
        """`job` is about to be shown in `state`."""
        completed = isinstance(state, Completed)
        if job.operation is Operation.BUILD:
            group = await self._settle(job.id, completed=completed)
            if group is not None and group.ended and group.completed:
                await self._latest.built(job.image_id, job.build_id)
        elif completed and job.operation is Operation.PUSH:
            await self._latest.pushed(job.image_id, job.build_id)

    async def _settle(self, id: str, *, completed: bool) -> GroupState | None:
        """A store that takes nothing holds up no job: then each counts as the last."""
        try:
            return await self._job_log.settle(id, completed=completed)
        except FactoryError as error:
            self._log.error("whether job {id} is the last of its request is not known: {error}", id=id, error=error)
            return GroupState(ended=True, completed=completed)
