"""Putting a finished target image into the warehouse: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from imagefactory.build.interface import BuildOrder
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.model.records import Kind, TargetImageRecord
from imagefactory.warehouse.records import Body, Records

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:imagefactory:icicle")


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What a build has made: `parameters` are the target's, `notes` more attributes.

    A `body` that is a file stays where it is; `content` is its digest, see `files.content`.
    """

    body: Body
    size: int
    content: str = ""
    icicle: bytes | None = None
    parameters: str | None = None
    notes: Mapping[str, str] | None = None


def icicle_id(target_image: str) -> str:
    """Returns the id of a target image's ICICLE, which is stored before the image.

    A sweep that finds neither an image nor a running job can so find the ICICLE, and a retry replaces it.
    """
    return str(uuid5(_NAMESPACE, target_image))


class ImageWriter:
    """Stores template, ICICLE and target image of a build."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def store(self, order: BuildOrder, finished: BuiltImage) -> None:
        """Store it; what goes wrong or is cancelled on the way leaves nothing."""
        icicle = icicle_id(order.id) if finished.icicle is not None else None
        try:
            await self._store(order, finished, icicle)
        except BaseException:
            await shield(self._remove(order.id, icicle))
            raise

    async def sweep(self, target_image: str) -> None:
        """Remove the ICICLE of an image that its process did not live to store."""
        if await self._records.target_image(target_image) is None:
            await self._records.delete(Kind.ICICLE, icicle_id(target_image))

    async def _store(self, order: BuildOrder, finished: BuiltImage, icicle: str | None) -> None:
        if await self._records.build(order.build_id) is None:
            raise Conflict(f"build {order.build_id} was deleted while its image was made", hint="build again")
        if await self._records.template(order.template_id) is None:  # removed since the build was accepted
            await self._records.store_template(order.template_id, order.template.source)
        if icicle is not None and finished.icicle is not None:
            await self._records.store_icicle(icicle, finished.icicle)
        record = TargetImageRecord(
            order.id,
            order.build_id,
            order.target,
            order.template_id,
            icicle,
            finished.parameters,
            finished.size,
            owner=order.owner,
        )
        await self._records.store_target_image(
            record, finished.body, content=finished.content, notes=finished.notes or {}, keep=True
        )

    async def _remove(self, target_image: str, icicle: str | None) -> None:
        try:
            await self._records.delete(Kind.TARGET_IMAGE, target_image)
            if icicle is not None:
                await self._records.delete(Kind.ICICLE, icicle)
        except FactoryError:
            return  # the warehouse is what failed; that error is on its way already
