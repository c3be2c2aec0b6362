"""Provider images and the pushes that make them."""

from __future__ import annotations

from imagefactory.jobs.interface import PushRequest, Removal
from imagefactory.lib.errors import InvalidInput, NotFound
from imagefactory.model.jobs import Completed, Job
from imagefactory.model.records import ProviderImageRecord
from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply, json_reply
from imagefactory.rest.v1 import paths
from imagefactory.rest.v1.ancestry import check_ancestry
from imagefactory.rest.v1.fields import flag_field, text_field
from imagefactory.rest.v1.services import ApiServices
from imagefactory.rest.v1.stored import job_of_provider_image

KIND = "provider_image_status"


async def create(api: ApiServices, call: RestCall) -> RestReply:
    """Push; ids in the address win over those in the body."""
    provider, credentials = (text_field(call.fields, name) for name in ("provider", "credentials"))
    if not provider or not credentials:
        raise InvalidInput("a push needs provider and credentials", hint="none of them may be empty")
    ids = {name: _id(call, name) for name in ("image_id", "build_id", "target_image_id")}
    await api.ownership.demand_pushable(call, **ids)
    request = PushRequest(
        provider=await api.arguments.provider(provider),
        credentials=api.arguments.credentials(credentials),
        owner=call.client,
        **ids,
    )
    job = await api.jobs.push(request)
    return json_reply({"_type": "provider_image", "id": job.id, "href": f"{call.url}/{job.id}"}, 202)


async def index(api: ApiServices, call: RestCall) -> RestReply:
    """Returns those of a target image, or all (or those after an id, at most `limit`)."""
    parent = call.ids.get("target_image_id")
    if parent is not None:
        await api.inventory.target_image(parent)
        records = await api.inventory.provider_images(parent)
    else:
        after, limit = call.query("after") or "", call.number("limit", low=1)
        records = await api.inventory.every_provider_image(after=after, limit=limit)
    images = [_fields(record, call) for record in records]
    return json_reply({"_type": "provider_images", "href": call.url, "provider_images": images})


async def show(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the job of a provider image."""
    return RestReply(await api.documents.show(await _job(api, call), KIND, call.url))


async def status(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the status of its job."""
    return RestReply(api.documents.status(await _job(api, call), KIND, call.url))


async def delete(api: ApiServices, call: RestCall) -> RestReply:
    """Remove a provider image, also from its provider unless `keep_on_provider` is set."""
    credentials, provider = (text_field(call.fields, name) for name in ("credentials", "provider"))
    keep = flag_field({"keep_on_provider": call.query("keep_on_provider")}, "keep_on_provider")
    keep = keep or flag_field(call.fields, "keep_on_provider")
    if not credentials and not keep:
        raise InvalidInput(
            "removing an image from its provider needs credentials",
            hint="send credentials, or keep_on_provider=true to remove it from the warehouse only",
        )
    removal = Removal(
        api.arguments.credentials(credentials) if credentials else None,
        await api.arguments.provider(provider) if provider else None,
        keep_on_provider=keep,
        owner=call.client,
    )
    await check_ancestry(api.inventory, call.ids)
    await api.ownership.demand_provider_image(call, call.ids["provider_image_id"])
    await api.inventory.delete_provider_image(call.ids["provider_image_id"], removal)
    return RestReply(b"", 204)


async def _job(api: ApiServices, call: RestCall) -> Job:
    id = call.ids["provider_image_id"]
    try:
        job = await api.jobs.job(id)
    except NotFound:
        record = await api.inventory.provider_image(id)
        target_image = await api.inventory.target_image(record.target_image)
        build = await api.inventory.build(target_image.build)
        return job_of_provider_image(record, target_image, build)
    if isinstance(job.state, Completed):
        await api.inventory.provider_image(id)  # NotFound if it was removed since
    return job


def _id(call: RestCall, name: str) -> str | None:
    return call.ids.get(name) or text_field(call.fields, name) or None


def _fields(record: ProviderImageRecord, call: RestCall) -> dict[str, object]:
    return {
        "_type": "provider_image",
        "id": record.id,
        "href": paths.link(call.base, paths.ROOT + "/provider_images/{id}", id=record.id),
        "target_image_id": record.target_image,
        "provider": record.provider,
        "target_identifier": record.target_identifier,
        "provider_account_identifier": record.provider_account_identifier,
        "icicle": record.icicle,
    }
