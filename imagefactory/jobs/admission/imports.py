"""Making known an image that a provider already has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagefactory.build.interface import Builder
from imagefactory.jobs.admission.ids import checked
from imagefactory.jobs.execution.completion import LatestBuild
from imagefactory.jobs.interface import Imported, ImportRequest
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.errors import InvalidInput
from imagefactory.model.descriptor import parse_descriptor, render_descriptor
from imagefactory.model.records import BuildRecord, ImageRecord, ProviderImageRecord, TargetImageRecord
from imagefactory.warehouse.records import Records


class ImportAdmission:
    """Stores the records of imports; to import the same again updates what is there."""

    def __init__(
        self, records: Records, builder: Builder, latest: LatestBuild, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._records = records
        self._builder = builder
        self._latest = latest
        self._clock = clock
        self._new_id = new_id

    def check(self, request: ImportRequest) -> ImportRequest:
        """The request with its ids as they are stored.

        Raises InvalidInput, Unsupported.
        """
        self._builder.known(request.target)
        image_id, build_id = checked(request.image_id, "image_id"), checked(request.build_id, "build_id")
        if request.provider.target != request.target:
            reason = f"provider {request.provider.name} takes {request.provider.target}"
            raise InvalidInput(f"an image of {request.target} cannot be imported: {reason}")
        if not request.target_identifier:
            raise InvalidInput("an import needs the provider's identifier of the image")
        if request.descriptor is not None:
            parse_descriptor(request.descriptor)
        return replace(request, image_id=image_id, build_id=build_id)

    async def store(self, request: ImportRequest) -> Imported:
        """All records, then the image's latest build."""
        build = await self._records.build(request.build_id) if request.build_id else None
        if build is not None and request.image_id not in {None, build.image}:
            raise InvalidInput(f"build {build.id} is of image {build.image}, not of {request.image_id}")
        image_id = await self._image(request, build)
        build_id = build.id if build else await self._new_build(request, image_id)
        target_image_id = await self._target_image(request, build_id)
        provider_image_id = await self._provider_image(request, target_image_id)
        await self._latest.imported(image_id, build_id)
        return Imported(image_id, build_id, target_image_id, provider_image_id)

    async def _image(self, request: ImportRequest, build: BuildRecord | None) -> str:
        id = request.image_id or (build.image if build else self._new_id())
        known = await self._records.image(id)
        given = request.descriptor
        if known is None:
            await self._records.store_image(
                ImageRecord(id, given or render_descriptor(request.target_identifier), owner=request.owner)
            )
        elif given is not None:
            await self._records.store_image(replace(known, descriptor=given))
        return id

    async def _new_build(self, request: ImportRequest, image_id: str) -> str:
        id = request.build_id or self._new_id()
        await self._records.store_build(BuildRecord(id, image_id, self._clock.seconds(), owner=request.owner))
        return id

    async def _target_image(self, request: ImportRequest, build_id: str) -> str:
        for known in await self._records.target_images(build_id):
            if known.target == request.target:
                return known.id
        id = self._new_id()
        await self._records.store_target_image(TargetImageRecord(id, build_id, request.target, owner=request.owner))
        return id

    async def _provider_image(self, request: ImportRequest, target_image_id: str) -> str:
        known = await self._records.provider_images(target_image_id)
        same = [image for image in known if image.provider == request.provider.name]
        id, owner = (same[0].id, same[0].owner) if same else (self._new_id(), request.owner)
        await self._records.store_provider_image(
            ProviderImageRecord(id, target_image_id, request.provider.name, request.target_identifier, owner=owner)
        )
        return id
