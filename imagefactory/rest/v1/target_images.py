"""Target images and the builds that make them."""

from __future__ import annotations

from imagefactory.jobs.interface import Jobs
from imagefactory.lib.errors import NotFound
from imagefactory.model.jobs import Completed, Job
from imagefactory.rest.accepting import accept
from imagefactory.rest.call import Call
from imagefactory.rest.interface import Inventory
from imagefactory.rest.reply import Reply, json_reply
from imagefactory.rest.stored import job_of_target_image
from imagefactory.rest.v1.ancestry import check_ancestry
from imagefactory.rest.v1.builds import target_image_fields
from imagefactory.rest.v1.documents import JobDocuments

KIND = "target_image_status"


class TargetImages:
    """The family `.../target_images`: as in version 1.0 one of them shows its job, looked up by the last id."""

    def __init__(self, jobs: Jobs, inventory: Inventory, documents: JobDocuments) -> None:
        self._jobs = jobs
        self._inventory = inventory
        self._documents = documents

    async def index(self, call: Call) -> Reply:
        """The target images of one build."""
        build = await self._inventory.build(call.ids["build_id"])
        records = await self._inventory.target_images(build.id)
        images = [target_image_fields(record, build.image, call.base) for record in records]
        return json_reply({"_type": "target_images", "href": call.url, "target_images": images})

    async def show(self, call: Call) -> Reply:
        """Its job."""
        return Reply(self._documents.full(await self._job(call), KIND, call.url))

    async def status(self, call: Call) -> Reply:
        """Where its job stands."""
        return Reply(self._documents.status(await self._job(call), KIND, call.url))

    async def delete(self, call: Call) -> Reply:
        """Remove it and its provider images."""
        await check_ancestry(self._inventory, call.ids)
        await accept(self._inventory.delete_target_image(call.ids["target_image_id"]))
        return Reply(b"", 204)

    async def _job(self, call: Call) -> Job:
        id = call.ids["target_image_id"]
        try:
            job = self._jobs.job(id)
        except NotFound:
            record = await self._inventory.target_image(id)
            return job_of_target_image(record, await self._inventory.build(record.build))
        if isinstance(job.state, Completed):
            await self._inventory.target_image(id)  # NotFound if it was removed since
        return job
