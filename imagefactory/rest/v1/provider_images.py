"""Provider images and the pushes that make them."""

from __future__ import annotations

from imagefactory.jobs.interface import Jobs, PushRequest, Removal
from imagefactory.lib.errors import InvalidInput, NotFound
from imagefactory.model.jobs import Completed, Job
from imagefactory.model.records import ProviderImageRecord
from imagefactory.rest.accepting import accept
from imagefactory.rest.call import Call
from imagefactory.rest.interface import Arguments, Inventory
from imagefactory.rest.reply import Reply, json_reply
from imagefactory.rest.stored import job_of_provider_image
from imagefactory.rest.v1 import links, routes
from imagefactory.rest.v1.ancestry import check_ancestry
from imagefactory.rest.v1.documents import JobDocuments
from imagefactory.rest.v1.fields import flag_field, text_field

KIND = "provider_image_status"


class ProviderImages:
    """The families `.../provider_images` (nested) and `/provider_images` (flat)."""

    def __init__(self, jobs: Jobs, inventory: Inventory, arguments: Arguments, documents: JobDocuments) -> None:
        self._jobs = jobs
        self._inventory = inventory
        self._arguments = arguments
        self._documents = documents

    async def create(self, call: Call) -> Reply:
        """Push; ids in the address win over those in the body."""
        provider, credentials = (text_field(call.fields, name) for name in ("provider", "credentials"))
        if not provider or not credentials:
            raise InvalidInput("a push needs provider and credentials", hint="none of them may be empty")
        request = PushRequest(
            provider=await self._arguments.provider(provider),
            credentials=self._arguments.credentials(credentials),
            image_id=_id(call, "image_id"),
            build_id=_id(call, "build_id"),
            target_image_id=_id(call, "target_image_id"),
        )
        job = await accept(self._jobs.push(request))
        return json_reply({"_type": "provider_image", "id": job.id, "href": f"{call.url}/{job.id}"}, 202)

    async def index(self, call: Call) -> Reply:
        """Those of one target image, or all (or those after an id, at most so many)."""
        parent = call.ids.get("target_image_id")
        if parent is not None:
            await self._inventory.target_image(parent)
            records = await self._inventory.provider_images(parent)
        else:
            after, limit = call.query("after") or "", call.number("limit", low=1)
            records = await self._inventory.every_provider_image(after=after, limit=limit)
        images = [_fields(record, call) for record in records]
        return json_reply({"_type": "provider_images", "href": call.url, "provider_images": images})

    async def show(self, call: Call) -> Reply:
        """Its job."""
        return Reply(self._documents.full(await self._job(call), KIND, call.url))

    async def status(self, call: Call) -> Reply:
        """Where its job stands."""
        return Reply(self._documents.status(await self._job(call), KIND, call.url))

    async def delete(self, call: Call) -> Reply:
        """Remove it from its provider too, unless it shall stay there."""
        credentials, provider = (text_field(call.fields, name) for name in ("credentials", "provider"))
        keep = flag_field({"keep_on_provider": call.query("keep_on_provider")}, "keep_on_provider")
        keep = keep or flag_field(call.fields, "keep_on_provider")
        if not credentials and not keep:
            raise InvalidInput(
                "removing an image from its provider needs credentials",
                hint="send credentials, or keep_on_provider=true to remove it from the warehouse only",
            )
        removal = Removal(
            self._arguments.credentials(credentials) if credentials else None,
            await self._arguments.provider(provider) if provider else None,
            keep_on_provider=keep,
        )
        await check_ancestry(self._inventory, call.ids)
        await accept(self._inventory.delete_provider_image(call.ids["provider_image_id"], removal))
        return Reply(b"", 204)

    async def _job(self, call: Call) -> Job:
        id = call.ids["provider_image_id"]
        try:
            job = self._jobs.job(id)
        except NotFound:
            record = await self._inventory.provider_image(id)
            target_image = await self._inventory.target_image(record.target_image)
            build = await self._inventory.build(target_image.build)
            return job_of_provider_image(record, target_image, build)
        if isinstance(job.state, Completed):
            await self._inventory.provider_image(id)  # NotFound if it was removed since
        return job


def _id(call: Call, name: str) -> str | None:
    return call.ids.get(name) or text_field(call.fields, name) or None


def _fields(record: ProviderImageRecord, call: Call) -> dict[str, object]:
    return {
        "_type": "provider_image",
        "id": record.id,
        "href": links.link(call.base, routes.ROOT + "/provider_images/{id}", id=record.id),
        "target_image_id": record.target_image,
        "provider": record.provider,
        "target_identifier": record.target_identifier,
        "provider_account_identifier": record.provider_account_identifier,
        "icicle": record.icicle,
    }
