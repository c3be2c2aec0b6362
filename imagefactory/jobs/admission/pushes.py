"""Accepting pushes: which target image goes to which provider."""

from __future__ import annotations

from collections.abc import Callable

from imagefactory.jobs.admission.ids import checked
from imagefactory.jobs.interface import PushRequest, RetryAccess
from imagefactory.jobs.state.index import JobIndex
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.errors import Conflict, InvalidInput, NotFound
from imagefactory.model.jobs import Job, Operation, is_final
from imagefactory.model.records import BuildRecord, TargetImageRecord
from imagefactory.push.interface import Pusher, PushOrder
from imagefactory.warehouse.records import Records


class PushAdmission:
    """Turns push requests into orders."""

    def __init__(
        self, records: Records, pusher: Pusher, index: JobIndex, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._records = records
        self._pusher = pusher
        self._index = index
        self._clock = clock
        self._new_id = new_id

    async def accept(self, request: PushRequest) -> tuple[PushOrder, Job]:
        """The order and its job; nothing is stored yet.

        Raises InvalidInput, Unsupported, NotFound, Conflict (the image is still being built).
        """
        provider = request.provider
        account = self._pusher.account(provider, request.credentials)
        image = await self._image(request)
        if image.imported:
            hint = "push an image that was built here"
            raise InvalidInput(f"target image {image.id} was imported: there is no image file to push", hint=hint)
        if image.target != provider.target:
            reason = f"it was built for {image.target}, provider {provider.name} takes {provider.target}"
            raise InvalidInput(f"target image {image.id} cannot be pushed to {provider.name}: {reason}")
        build = await self._build(image.build)
        if checked(request.image_id, "image_id") not in {None, build.image}:
            raise InvalidInput(f"build {build.id} is of image {build.image}, not of {request.image_id}")
        order = PushOrder(self._new_id(), image.id, provider, request.credentials, account, request.owner)
        return order, Job(
            order.id,
            Operation.PUSH,
            image.target,
            build.image,
            build.id,
            self._clock.seconds(),
            target_image_id=image.id,
            provider=provider.name,
            provider_account_identifier=account,
            template_id=image.template,
            owner=request.owner,
        )

    async def again(self, job: Job, access: RetryAccess) -> PushOrder:
        """Returns the order of a push that failed; it is handed what it has made at the provider.

        Raises:
            Conflict: its image was deleted meanwhile.
            InvalidInput, Unsupported: provider or credentials are wrong.
        """
        account = self._pusher.account(access.provider, access.credentials)
        if account != job.provider_account_identifier:
            reason = f"this is {account}, the push was begun with {job.provider_account_identifier}"
            raise InvalidInput(f"job {job.id} belongs to another account: {reason}", hint="push again instead")
        if job.target_image_id is None or await self._records.target_image(job.target_image_id) is None:
            raise Conflict(f"target image {job.target_image_id} was deleted", hint="build it again")
        return PushOrder(job.id, job.target_image_id, access.provider, access.credentials, account, job.owner)

    async def _image(self, request: PushRequest) -> TargetImageRecord:
        id = checked(request.target_image_id, "target_image_id")
        if id is None:
            return await self._image_of(await self._build_id(request), request.provider.target)
        self._refuse_unfinished(id)
        image = await self._records.target_image(id)
        if image is None:
            raise NotFound(f"there is no target image {id}")
        if checked(request.build_id, "build_id") not in {None, image.build}:
            raise InvalidInput(f"target image {id} is of build {image.build}, not of {request.build_id}")
        return image

    async def _image_of(self, build_id: str, target: str) -> TargetImageRecord:
        """The newest of the build for the target, if there are several; one that was built rather than imported."""
        images = [image for image in await self._records.target_images(build_id) if image.target == target]
        if images:
            return max(images, key=self._age)
        for job in self._index.unfinished():
            if job.build_id == build_id and job.target == target and job.operation is Operation.BUILD:
                self._refuse_unfinished(job.id)
        raise NotFound(f"build {build_id} has no image for target {target}", hint="build it for that target first")

    def _age(self, image: TargetImageRecord) -> tuple[bool, float]:
        job = self._index.find(image.id)
        return not image.imported, job.created if job else 0.0

    def _refuse_unfinished(self, id: str) -> None:
        job = self._index.find(id)
        if job is not None and not is_final(job.state):
            raise Conflict(f"target image {id} is still being built", hint="push it when the build has completed")

    async def _build_id(self, request: PushRequest) -> str:
        build_id = checked(request.build_id, "build_id")
        if build_id is not None:
            return build_id
        image_id = checked(request.image_id, "image_id")
        if image_id is None:
            raise InvalidInput("what to push is not given", hint="name a target image, a build or an image")
        image = await self._records.image(image_id)
        if image is None:
            raise NotFound(f"there is no image {image_id}")
        build = image.latest_unpushed or image.latest_build
        if build is None:
            raise NotFound(f"image {image_id} has no build that could be pushed", hint="build it first")
        return build

    async def _build(self, id: str) -> BuildRecord:
        build = await self._records.build(id)
        if build is None:
            raise NotFound(f"there is no build {id}")
        return build
