"""What is stored: listing it, and removing it with all that depends on it.

It stands here and not beside the records, because jobs decide what may be removed, and delete at providers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from imagefactory.jobs.interface import DeleteRequest, Jobs, Removal
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.errors import Conflict, InvalidInput, NotFound, restored
from imagefactory.model.jobs import Failed, Job
from imagefactory.model.providers import Provider
from imagefactory.model.records import BuildRecord, ImageRecord, Kind, ProviderImageRecord, TargetImageRecord
from imagefactory.targets.interface import Target
from imagefactory.warehouse.records import Records

T = TypeVar("T")


class Clouds(Protocol):
    """Where images are when they are not here."""

    def target(self, name: str) -> Target:
        """Raises Unsupported."""
        ...

    async def provider(self, text: str) -> Provider:
        """Raises InvalidInput, Unsupported."""
        ...


class Inventory:
    """The records of the warehouse, as REST shows them."""

    def __init__(self, records: Records, jobs: Jobs, clouds: Clouds) -> None:
        self._records = records
        self._jobs = jobs
        self._clouds = clouds

    async def probe(self) -> None:
        """Ask the warehouse for something small; raises what it raises."""
        await self._records.ids(Kind.IMAGE, limit=1)

    async def images(self, *, after: str = "", limit: int | None = None) -> Sequence[ImageRecord]:
        """In order of their ids; those with an id above `after`, at most `limit`."""
        return await self._records.images(after=after, limit=limit)

    async def image(self, id: str) -> ImageRecord:
        """Raises NotFound."""
        return _found(await self._records.image(id), "image", id)

    async def builds(self, image_id: str) -> Sequence[BuildRecord]:
        """Those of an image, oldest first."""
        return await self._records.builds(image_id)

    async def build(self, id: str) -> BuildRecord:
        """Raises NotFound."""
        return _found(await self._records.build(id), "build", id)

    async def target_images(self, build_id: str) -> Sequence[TargetImageRecord]:
        """Those of a build."""
        return await self._records.target_images(build_id)

    async def target_image(self, id: str) -> TargetImageRecord:
        """Raises NotFound."""
        return _found(await self._records.target_image(id), "target image", id)

    async def provider_images(self, target_image_id: str) -> Sequence[ProviderImageRecord]:
        """Those of one target image."""
        return await self._records.provider_images(target_image_id)

    async def every_provider_image(self, *, after: str = "", limit: int | None = None) -> Sequence[ProviderImageRecord]:
        """As `images`."""
        return await self._records.every_provider_image(after=after, limit=limit)

    async def provider_image(self, id: str) -> ProviderImageRecord:
        """Raises NotFound."""
        return _found(await self._records.provider_image(id), "provider image", id)

    async def delete_image(self, id: str) -> None:
        """With its builds and their children; what is at providers stays there.

        Raises NotFound, Conflict while a job uses it.
        """
        image = await self.image(id)
        await self._refuse(lambda job: job.image_id == id, f"image {id}")
        await shield(self._remove_image(image))

    async def delete_build(self, id: str) -> None:
        """With its target images and their provider images; the image names it no more.

        Raises NotFound, Conflict.
        """
        build = await self.build(id)
        await self._refuse(lambda job: job.build_id == id, f"build {id}")
        await shield(self._remove_build(build))

    async def delete_target_image(self, id: str) -> None:
        """With its provider images.

        Raises NotFound, Conflict.
        """
        await self.target_image(id)
        await self._refuse(lambda job: id in {job.id, job.target_image_id}, f"target image {id}")
        await shield(self._remove(Kind.TARGET_IMAGE, id))

    async def delete_provider_image(self, id: str, removal: Removal) -> None:
        """At the provider first, unless it is to stay there: that is a job, whose end is waited for.

        A cancellation ends the waiting, not the job.

        Raises NotFound, Conflict, InvalidInput, and what the provider answers; then the record stays.
        """
        record = await self.provider_image(id)
        await self._refuse(lambda job: id in {job.id, job.provider_image_id}, f"provider image {id}")
        if removal.keep_on_provider or record.target_identifier is None:
            await shield(self._remove(Kind.PROVIDER_IMAGE, id))
            return
        provider = await self._provider(record, removal)
        if self._clouds.target(provider.target).pushing is None:
            hint = "remove it there by hand, then ask again with keep_on_provider"
            raise InvalidInput(f"images of {provider.target} cannot be removed at the provider from here", hint=hint)
        job = await self._jobs.delete(DeleteRequest(id, provider, removal.credentials, removal.owner))
        state = (await self._jobs.finished(job.id)).state
        if isinstance(state, Failed):
            raise restored(state.failure.kind, state.failure.message, state.failure.hint)

    async def _provider(self, record: ProviderImageRecord, removal: Removal) -> Provider:
        """Where the image is: as it is named here, or as it is defined in the request."""
        provider = removal.provider or await self._clouds.provider(record.provider)
        if provider.name != record.provider:
            raise InvalidInput(f"provider image {record.id} is at {record.provider}, not at {provider.name}")
        target_image = await self._records.target_image(record.target_image)
        if target_image is not None and target_image.target != provider.target:
            reason = f"it was built for {target_image.target}, this one is of {provider.target}"
            hint = "give the definition that it was pushed with as provider"
            raise InvalidInput(f"provider image {record.id} is at another {provider.name}: {reason}", hint=hint)
        return provider

    async def _remove_image(self, image: ImageRecord) -> None:
        """With the templates that it was built from, unless another image is of them, or a job may need them."""
        templates = {image.template}
        for build in await self._records.builds(image.id):
            templates |= {each.template for each in await self._records.target_images(build.id)}
        await self._remove(Kind.IMAGE, image.id)
        needed = {job.template_id for job in await self._jobs.jobs() if job.image_id != image.id}
        for template in templates - needed:
            if template is not None:
                await self._records.drop_template(template)

    async def _remove_build(self, build: BuildRecord) -> None:
        attributes = await self._records.attributes(Kind.IMAGE, build.image) or {}
        dangling = {name: None for name in ("latest_build", "latest_unpushed") if attributes.get(name) == build.id}
        if dangling:
            await self._records.annotate(Kind.IMAGE, build.image, dangling)
        await self._remove(Kind.BUILD, build.id)

    async def _remove(self, kind: Kind, id: str) -> None:
        """Children first: what is left when this fails half-way can still be found from above."""
        children = await self._records.children(kind, id)
        if children is not None:
            for child in children[1]:
                await self._remove(children[0], child)
        if kind is Kind.TARGET_IMAGE:
            await self._remove_icicle(id)
        await self._records.delete(kind, id)

    async def _remove_icicle(self, target_image_id: str) -> None:
        image = await self._records.target_image(target_image_id)
        if image is not None and image.icicle is not None:
            await self._records.delete(Kind.ICICLE, image.icicle)

    async def _refuse(self, uses: Callable[[Job], bool], what: str) -> None:
        for job in await self._jobs.unfinished():
            if uses(job):
                hint = "cancel the job, or wait for its end"
                raise Conflict(f"{what} is in use by job {job.id}", hint=hint)


def _found(record: T | None, what: str, id: str) -> T:
    if record is None:
        raise NotFound(f"there is no {what} {id}")
    return record
