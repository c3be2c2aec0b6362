"""Target images and the builds that make them; as in version 1.0 one of them shows its job, found by the last id."""

from __future__ import annotations

from imagefactory.lib.errors import NotFound
from imagefactory.model.jobs import Completed, Job
from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply, json_reply
from imagefactory.rest.v1.ancestry import check_ancestry
from imagefactory.rest.v1.builds import target_image_fields
from imagefactory.rest.v1.services import ApiServices
from imagefactory.rest.v1.stored import job_of_target_image

KIND = "target_image_status"


async def index(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the target images of a build."""
    build = await api.inventory.build(call.ids["build_id"])
    records = await api.inventory.target_images(build.id)
    images = [target_image_fields(record, build.image, call.base) for record in records]
    return json_reply({"_type": "target_images", "href": call.url, "target_images": images})


async def show(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the job of a target image."""
    return RestReply(await api.documents.show(await _job(api, call), KIND, call.url))


async def status(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the status of its job."""
    return RestReply(api.documents.status(await _job(api, call), KIND, call.url))


async def delete(api: ApiServices, call: RestCall) -> RestReply:
    """Remove a target image and its provider images."""
    await check_ancestry(api.inventory, call.ids)
    await api.ownership.demand_target_image(call, call.ids["target_image_id"])
    await api.inventory.delete_target_image(call.ids["target_image_id"])
    return RestReply(b"", 204)


async def _job(api: ApiServices, call: RestCall) -> Job:
    id = call.ids["target_image_id"]
    try:
        job = await api.jobs.job(id)
    except NotFound:
        record = await api.inventory.target_image(id)
        return job_of_target_image(record, await api.inventory.build(record.build))
    if isinstance(job.state, Completed):
        await api.inventory.target_image(id)  # NotFound if it was removed since
    return job
