"""Builds of images; a build is looked up by the last id of a path, as in version 1.0."""

from __future__ import annotations

from imagefactory.model.records import BuildRecord, TargetImageRecord
from imagefactory.model.times import timestamp
from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply, json_reply
from imagefactory.rest.v1 import paths
from imagefactory.rest.v1.ancestry import check_ancestry
from imagefactory.rest.v1.services import ApiServices


async def index(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the builds of an image."""
    image = await api.inventory.image(call.ids["image_id"])
    builds = [build_fields(record, call.base) for record in await api.inventory.builds(image.id)]
    return json_reply({"_type": "builds", "href": call.url, "builds": builds})


async def show(api: ApiServices, call: RestCall) -> RestReply:
    """Returns one build with its target images."""
    record = await api.inventory.build(call.ids["build_id"])
    images = await api.inventory.target_images(record.id)
    fields = [target_image_fields(each, record.image, call.base) for each in images]
    return json_reply({**build_fields(record, call.base), "target_images": fields})


async def delete(api: ApiServices, call: RestCall) -> RestReply:
    """Remove a build and all below it."""
    await check_ancestry(api.inventory, call.ids)
    await api.ownership.demand_build(call, call.ids["build_id"])
    await api.inventory.delete_build(call.ids["build_id"])
    return RestReply(b"", 204)


def build_fields(record: BuildRecord, base: str) -> dict[str, object]:
    """Returns the document of a build."""
    return {
        "_type": "build",
        "id": record.id,
        "href": paths.build(base, record.image, record.id),
        "image_id": record.image,
        "parent": record.parent,
        "created": timestamp(record.timestamp),
    }


def target_image_fields(record: TargetImageRecord, image_id: str, base: str) -> dict[str, object]:
    """Returns the document of a target image as it is stored."""
    return {
        "_type": "target_image",
        "id": record.id,
        "href": paths.target_image(base, image_id, record.build, record.id),
        "target": record.target,
        "image_id": image_id,
        "build_id": record.build,
        "template": record.template,
        "icicle": record.icicle,
        "target_parameters": record.target_parameters,
        "size": record.size,
    }
