"""Images: build, rebuild, import, show, remove."""

from __future__ import annotations

from imagefactory.jobs.interface import Accepted, BuildRequest, Imported, ImportRequest
from imagefactory.lib.errors import InvalidInput
from imagefactory.model.records import ImageRecord
from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply, json_reply
from imagefactory.rest.v1 import paths
from imagefactory.rest.v1.builds import build_fields
from imagefactory.rest.v1.fields import flag_field, text_field
from imagefactory.rest.v1.services import ApiServices

_IMPORT = ("target_name", "provider_name", "target_identifier", "image_descriptor")


async def create(api: ApiServices, call: RestCall) -> RestReply:
    """Build if there is a template and a target, else import if all four fields of an import are there."""
    if text_field(call.fields, "template") and text_field(call.fields, "targets"):
        return await _build(api, call)
    if all(text_field(call.fields, name) for name in _IMPORT):
        return await _import(api, call)
    raise InvalidInput(
        "a build needs template and targets; an import needs " + ", ".join(_IMPORT),
        hint="send these fields as a form or as JSON, none of them empty",
    )


async def index(api: ApiServices, call: RestCall) -> RestReply:
    """Returns all images, or those after an id, at most `limit`; without their builds."""
    records = await api.inventory.images(after=call.query("after") or "", limit=call.number("limit", low=1))
    images = [image_fields(record, call.base) for record in records]
    return json_reply({"_type": "images", "href": call.url, "images": images})


async def show(api: ApiServices, call: RestCall) -> RestReply:
    """Returns one image with its builds."""
    record = await api.inventory.image(call.ids["image_id"])
    builds = await api.inventory.builds(record.id)
    return json_reply({**image_fields(record, call.base), "builds": [build_fields(each, call.base) for each in builds]})


async def delete(api: ApiServices, call: RestCall) -> RestReply:
    """Remove an image and all below it."""
    await api.ownership.demand_image(call, call.ids["image_id"])
    await api.inventory.delete_image(call.ids["image_id"])
    return RestReply(b"", 204)


async def _build(api: ApiServices, call: RestCall) -> RestReply:
    image_id = call.ids.get("image_id")
    build_id = _ids(call)[1]
    if build_id and not image_id:
        raise InvalidInput("build_id needs the image's id in the address", hint="PUT /imagefactory/images/<id>")
    await api.ownership.demand_new_or_own(call, image_id, build_id)
    targets = _targets(text_field(call.fields, "targets"))
    resolved = await api.arguments.template(text_field(call.fields, "template"), targets)
    request = BuildRequest(
        template=resolved.template,
        targets=targets,
        image_id=image_id,
        build_id=build_id,
        template_id=resolved.template_id,
        boot_check=flag_field(call.fields, "boot_check"),
        owner=call.client,
    )
    return json_reply(_accepted(await api.jobs.build(request), call.base), 202)


async def _import(api: ApiServices, call: RestCall) -> RestReply:
    image_id, build_id = _ids(call)
    await api.ownership.demand_new_or_own(call, image_id, build_id)
    fields = {name: text_field(call.fields, name) for name in _IMPORT}
    request = ImportRequest(
        target=fields["target_name"],
        provider=await api.arguments.provider(fields["provider_name"]),
        target_identifier=fields["target_identifier"],
        descriptor=fields["image_descriptor"].encode(),
        image_id=image_id,
        build_id=build_id,
        owner=call.client,
    )
    return json_reply(_imported(await api.jobs.import_image(request), call.base))


def image_fields(record: ImageRecord, base: str) -> dict[str, object]:
    """Returns the document of an image."""
    return {
        "_type": "image",
        "id": record.id,
        "href": paths.image(base, record.id),
        "template": record.template,
        "latest_build": record.latest_build,
        "latest_unpushed": record.latest_unpushed,
        "descriptor": record.descriptor.decode("utf-8", "replace"),
    }


def _ids(call: RestCall) -> tuple[str | None, str | None]:
    """Returns the ids of image and build; those in the address win over those in the body."""
    image_id = call.ids.get("image_id") or text_field(call.fields, "image_id")
    build_id = call.ids.get("build_id") or text_field(call.fields, "build_id")
    return image_id or None, build_id or None


def _targets(text: str) -> tuple[str, ...]:
    targets = tuple(name.strip() for name in text.split(",") if name.strip())
    if not targets:
        raise InvalidInput("targets names no target", hint="for example targets=ec2,rhevm")
    return targets


def _accepted(accepted: Accepted, base: str) -> dict[str, object]:
    image_id, build_id = accepted.image_id, accepted.build_id
    images: list[dict[str, object]] = [_target_image(base, image_id, build_id, job.id) for job in accepted.jobs]
    return _nested(base, image_id, build_id, images)


def _imported(imported: Imported, base: str) -> dict[str, object]:
    image_id, build_id = imported.image_id, imported.build_id
    target_image = _target_image(base, image_id, build_id, imported.target_image_id)
    href = f"{target_image['href']}/provider_images/{imported.provider_image_id}"
    target_image["provider_images"] = [
        {"_type": "provider_image", "id": imported.provider_image_id, "href": href},
    ]
    return _nested(base, image_id, build_id, [target_image])


def _target_image(base: str, image_id: str, build_id: str, id: str) -> dict[str, object]:
    return {"_type": "target_image", "id": id, "href": paths.target_image(base, image_id, build_id, id)}


def _nested(base: str, image_id: str, build_id: str, target_images: list[dict[str, object]]) -> dict[str, object]:
    return {
        "_type": "image",
        "id": image_id,
        "href": paths.image(base, image_id),
        "build": {
            "_type": "build",
            "id": build_id,
            "href": paths.build(base, image_id, build_id),
            "target_images": target_images,
        },
    }
