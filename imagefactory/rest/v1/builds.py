"""Builds of images."""

from __future__ import annotations

from imagefactory.model.records import BuildRecord, TargetImageRecord
from imagefactory.rest.accepting import accept
from imagefactory.rest.call import Call
from imagefactory.rest.interface import Inventory
from imagefactory.rest.reply import Reply, json_reply
from imagefactory.rest.v1 import links
from imagefactory.rest.v1.ancestry import check_ancestry
from imagefactory.rest.v1.documents import timestamp


class Builds:
    """The family `/images/:id/builds`; what is shown is looked up by the last id of a path, as in version 1.0."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def index(self, call: Call) -> Reply:
        """The builds of one image."""
        image = await self._inventory.image(call.ids["image_id"])
        builds = [build_fields(record, call.base) for record in await self._inventory.builds(image.id)]
        return json_reply({"_type": "builds", "href": call.url, "builds": builds})

    async def show(self, call: Call) -> Reply:
        """One build with its target images."""
        record = await self._inventory.build(call.ids["build_id"])
        images = await self._inventory.target_images(record.id)
        fields = [target_image_fields(each, record.image, call.base) for each in images]
        return json_reply({**build_fields(record, call.base), "target_images": fields})

    async def delete(self, call: Call) -> Reply:
        """Remove it and all below it."""
        await check_ancestry(self._inventory, call.ids)
        await accept(self._inventory.delete_build(call.ids["build_id"]))
        return Reply(b"", 204)


def build_fields(record: BuildRecord, base: str) -> dict[str, object]:
    """One build."""
    return {
        "_type": "build",
        "id": record.id,
        "href": links.build(base, record.image, record.id),
        "image_id": record.image,
        "parent": record.parent,
        "created": timestamp(record.timestamp),
    }


def target_image_fields(record: TargetImageRecord, image_id: str, base: str) -> dict[str, object]:
    """One target image as it is stored."""
    return {
        "_type": "target_image",
        "id": record.id,
        "href": links.target_image(base, image_id, record.build, record.id),
        "target": record.target,
        "image_id": image_id,
        "build_id": record.build,
        "template": record.template,
        "icicle": record.icicle,
        "target_parameters": record.target_parameters,
        "size": record.size,
    }
