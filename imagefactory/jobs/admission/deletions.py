"""From a request to delete an image at its provider to an order and a job."""

from __future__ import annotations

from collections.abc import Callable

from imagefactory.jobs.interface import DeleteRequest, RetryAccess
from imagefactory.jobs.state.index import JobIndex
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.errors import Conflict, NotFound
from imagefactory.model.jobs import Job, Operation
from imagefactory.model.records import ProviderImageRecord
from imagefactory.push.interface import DeleteOrder, Pusher
from imagefactory.warehouse.records import Records


class DeletionAdmission:
    """Checks requests to delete; nothing is stored here."""

    def __init__(
        self, records: Records, pusher: Pusher, index: JobIndex, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._records = records
        self._pusher = pusher
        self._index = index
        self._clock = clock
        self._new_id = new_id

    async def accept(self, request: DeleteRequest) -> tuple[DeleteOrder, Job]:
        """Returns the order and its job.

        Raises:
            NotFound: there is no such provider image.
            Conflict: a job makes it, or deletes it already.
            InvalidInput, Unsupported: provider or credentials are wrong.
        """
        record = await self._record(request.provider_image_id)
        self._demand_unused(record.id)
        account = self._pusher.account(request.provider, request.credentials)
        image = await self._records.target_image(record.target_image)
        build = await self._records.build(image.build) if image else None
        order = DeleteOrder(
            self._new_id(), record.id, record.target_identifier or "", request.provider, request.credentials
        )
        return order, Job(
            order.id,
            Operation.DELETE,
            request.provider.target,
            build.image if build else "",
            build.id if build else "",
            self._clock.seconds(),
            target_image_id=record.target_image,
            provider=record.provider,
            provider_account_identifier=account,
            provider_image_id=record.id,
            owner=request.owner,
        )

    async def again(self, job: Job, access: RetryAccess) -> DeleteOrder:
        """Returns the order of a deletion that failed.

        Raises:
            NotFound: the provider image was deleted meanwhile.
            Conflict: another job deletes it.
            InvalidInput, Unsupported: provider or credentials are wrong.
        """
        record = await self._record(job.provider_image_id or "")
        self._demand_unused(record.id)
        self._pusher.account(access.provider, access.credentials)
        return DeleteOrder(job.id, record.id, record.target_identifier or "", access.provider, access.credentials)

    async def _record(self, id: str) -> ProviderImageRecord:
        record = await self._records.provider_image(id)
        if record is None:
            raise NotFound(f"there is no provider image {id}")
        return record

    def _demand_unused(self, id: str) -> None:
        for job in self._index.unfinished():
            if id in {job.id, job.provider_image_id}:
                hint = "cancel the job, or wait for its end"
                raise Conflict(f"provider image {id} is in use by job {job.id}", hint=hint)
