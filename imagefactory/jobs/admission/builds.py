"""Accepting builds: everything is checked before anything is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from imagefactory.build.interface import Builder, BuildOrder
from imagefactory.jobs.admission.ids import checked
from imagefactory.jobs.interface import BuildRequest
from imagefactory.jobs.state.index import JobIndex
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.errors import Conflict, FactoryError, InvalidInput, NotFound, Unavailable
from imagefactory.model.descriptor import render_descriptor
from imagefactory.model.jobs import Job, Operation
from imagefactory.model.records import BuildRecord, ImageRecord, Kind
from imagefactory.model.template import Parse, Template
from imagefactory.warehouse.records import Records

Fetch = Callable[[Template], Awaitable[Template]]
"""Puts what a template refers to by URL into it."""


@dataclass(frozen=True, slots=True)
class CheckedBuild:
    """A build request that can be fulfilled.

    `build` is the build that targets are added to, or that is new; None in `template_id`: to be stored.
    """

    targets: tuple[str, ...]
    template: Template
    template_id: str | None
    image_id: str | None
    build_id: str | None
    boot_check: bool
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """The orders of a request, and the records that were made for them."""

    orders: tuple[BuildOrder, ...]
    made: tuple[tuple[Kind, str], ...]


class BuildAdmission:
    """Turns build requests into orders, and keeps their records."""

    def __init__(
        self,
        records: Records,
        builder: Builder,
        index: JobIndex,
        *,
        parse: Parse,
        fetch: Fetch,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._records = records
        self._index = index
        self._builder = builder
        self._parse = parse
        self._fetch = fetch
        self._clock = clock
        self._new_id = new_id

    async def check(self, request: BuildRequest) -> CheckedBuild:
        """All that can be wrong with it, now.

        Raises InvalidInput, Unsupported, NotFound.
        """
        image_id, build_id = await self._place(request)
        targets = await self._targets(request, image_id)
        for target in targets:
            self._builder.known(target)
        template, template_id = await self._template(request, image_id)
        template = await self._fetch(template)
        await self._builder.check(template, targets)
        return CheckedBuild(targets, template, template_id, image_id, build_id, request.boot_check, request.owner)

    async def store(self, checked: CheckedBuild) -> StoredRecords:
        """Template, image and build; what was stored before something went wrong is removed again.

        A warehouse that does not answer is no reason to refuse: then the jobs store it, and wait for it (`record`).
        """
        order = self._order(checked)
        made: list[tuple[Kind, str]] = []
        try:
            await self._store(checked, order, made)
        except Unavailable:
            order = replace(order, unrecorded=True)
        except BaseException:
            await self._undo(made)
            raise
        return StoredRecords(
            tuple(replace(order, id=self._new_id(), target=name) for name in checked.targets), tuple(made)
        )

    async def record(self, order: BuildOrder) -> None:
        """Store what could not be stored when the order was accepted; what is there stays."""
        if await self._records.template(order.template_id) is None:
            await self._records.store_template(order.template_id, order.template.source)
        if await self._records.image(order.image_id) is None:
            await self._records.store_image(_image(order))
        if await self._records.build(order.build_id) is None:
            await self._records.store_build(self._build(order))

    def jobs(self, orders: tuple[BuildOrder, ...]) -> tuple[Job, ...]:
        """The orders as new jobs."""
        now = self._clock.seconds()
        return tuple(
            Job(
                *(o.id, Operation.BUILD, o.target, o.image_id, o.build_id, now),
                template_id=o.template_id,
                owner=o.owner,
            )
            for o in orders
        )

    async def must_be_there(self, order: BuildOrder) -> None:
        """Raises Conflict if the image or the build of a job was removed since it was accepted."""
        if order.unrecorded:  # perhaps they never were there
            return
        for kind, found in (
            ("image", await self._records.image(order.image_id)),
            ("build", await self._records.build(order.build_id)),
        ):
            if found is None:
                raise Conflict(f"job {order.id} cannot be run again: its {kind} was deleted", hint="build again")

    async def _place(self, request: BuildRequest) -> tuple[str | None, str | None]:
        """Image and build; an image id needs not be known, a build without image does."""
        image_id, build_id = checked(request.image_id, "image"), checked(request.build_id, "build_id")
        build = await self._records.build(build_id) if build_id else None
        if build_id and build is None and image_id is None:
            raise NotFound(f"there is no build {build_id}", hint="say which image a new build is of")
        if build is not None and image_id not in {None, build.image}:
            raise InvalidInput(f"build {build_id} is of image {build.image}, not of {image_id}")
        return (build.image if build else image_id), build_id

    async def _targets(self, request: BuildRequest, image_id: str | None) -> tuple[str, ...]:
        targets = tuple(dict.fromkeys(request.targets)) or await self._last_targets(image_id)
        if not targets:
            raise InvalidInput("no target is given", hint="name at least one target to build for")
        return targets

    async def _last_targets(self, image_id: str | None) -> tuple[str, ...]:
        image = await self._records.image(image_id) if image_id else None
        last = (image.latest_unpushed or image.latest_build) if image else None
        images = await self._records.target_images(last) if last else []
        jobs = self._index.of_image(image_id) if image_id else []
        asked = [job for job in jobs if job.operation is Operation.BUILD]
        if last is None and asked:  # nothing of it has ever been completed
            last = asked[-1].build_id
        failed = {job.target for job in asked if job.build_id == last}
        return tuple(sorted(failed | {image.target for image in images}))

    async def _template(self, request: BuildRequest, image_id: str | None) -> tuple[Template, str | None]:
        if request.template is not None:
            return request.template, request.template_id
        template_id = request.template_id or await self._last_template(image_id)
        source = await self._records.template(template_id) if template_id else None
        if source is None:
            raise InvalidInput("no template is given, and none is known for this image", hint="give a template")
        return self._parse(source), template_id

    async def _last_template(self, image_id: str | None) -> str | None:
        image = await self._records.image(image_id) if image_id else None
        last = (image.latest_unpushed or image.latest_build) if image else None
        for target_image in await self._records.target_images(last) if last else ():
            if target_image.template:
                return target_image.template
        return image.template if image else None

    def _order(self, checked: CheckedBuild) -> BuildOrder:
        """What the orders of a request have in common; ids exist before anything is stored."""
        template_id = checked.template_id or self._new_id()
        image_id = checked.image_id or self._new_id()
        build_id = checked.build_id or self._new_id()
        return BuildOrder(
            "", image_id, build_id, "", checked.template, template_id, checked.boot_check, owner=checked.owner
        )

    def _build(self, order: BuildOrder) -> BuildRecord:
        return BuildRecord(order.build_id, order.image_id, self._clock.seconds(), owner=order.owner)

    async def _store(self, checked: CheckedBuild, order: BuildOrder, made: list[tuple[Kind, str]]) -> None:
        if checked.template_id is None:
            made.append((Kind.TEMPLATE, order.template_id))
            await self._records.store_template(order.template_id, checked.template.source)
        if checked.image_id is None or await self._records.image(order.image_id) is None:
            made.append((Kind.IMAGE, order.image_id))
            await self._records.store_image(_image(order))
        if checked.build_id is None or await self._records.build(order.build_id) is None:
            made.append((Kind.BUILD, order.build_id))
            await self._records.store_build(self._build(order))

    async def undo(self, stored: StoredRecords) -> None:
        """Remove the records of orders that could not be stored."""
        await self._undo(stored.made)

    async def _undo(self, made: Sequence[tuple[Kind, str]]) -> None:
        for kind, id in reversed(made):
            try:
                await self._records.delete(kind, id)
            except FactoryError:
                return  # the warehouse is what failed; the caller raises that error


def _image(order: BuildOrder) -> ImageRecord:
    return ImageRecord(order.image_id, render_descriptor(order.template.name), order.template_id, owner=order.owner)
