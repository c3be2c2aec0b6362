"""Does push jobs: reads an image from the warehouse, brings it to a provider, and stores the record."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError, NotFound
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed
from imagefactory.model.providers import Provider
from imagefactory.model.records import Kind, ProviderImageRecord, TargetImageRecord
from imagefactory.model.report import Progress
from imagefactory.model.template import Parse
from imagefactory.push.interface import DeleteOrder, PushOrder
from imagefactory.push.leftovers import Leftovers
from imagefactory.push.resources import LedgerResources
from imagefactory.targets.images import reading
from imagefactory.targets.interface import PushContext, Pushed, Ready
from imagefactory.targets.registry import InstalledTargets
from imagefactory.warehouse.records import Records


class CloudPusher:
    """`Pusher` over the installed targets."""

    _log = Logger()

    def __init__(
        self,
        records: Records,
        targets: InstalledTargets,
        leftovers: Leftovers,
        *,
        parse: Parse,
        workspaces: Workspaces,
        threads: Threads,
    ) -> None:
        self._records = records
        self._targets = targets
        self._leftovers = leftovers
        self._parse = parse
        self._workspaces = workspaces
        self._threads = threads

    def account(self, provider: Provider, credentials: Credentials | None) -> str | None:
        """See `Pusher`."""
        return self._leftovers.pushing(provider).account(credentials, provider)

    def concurrency(self, target: str) -> int | None:
        """See `Pusher`."""
        return self._targets.concurrency(target)

    async def push(self, order: PushOrder, progress: Progress) -> Completed:
        """See `Pusher`."""
        resources = self._leftovers.resources(order.id, order.provider, order.credentials)
        stored = await self._records.provider_image(order.id)
        if stored is not None and stored.target_identifier is not None:  # by a run that was interrupted after that
            settling = Task(resources.settle())
            await settling.settled()  # a cancellation comes too late here, too
            await settling
            return Completed(identifier=stored.target_identifier)
        try:
            await resources.begin()
            return Completed(identifier=await self._push(order, resources, progress))
        except BaseException:
            await Task(resources.remove()).settled()
            raise

    async def delete(self, order: DeleteOrder, progress: Progress) -> Completed:
        """See `Pusher`."""
        progress.activity(f"deleting the image at {order.provider.name}")
        pushing = self._leftovers.pushing(order.provider)
        await pushing.delete(order.identifier, order.provider, order.credentials)
        progress.progress(90)
        progress.activity("deleting the record")
        await self._records.delete(Kind.PROVIDER_IMAGE, order.provider_image_id)
        return Completed(identifier=order.identifier)

    async def _push(self, order: PushOrder, resources: LedgerResources, progress: Progress) -> str:
        """Push and store the record. Returns the provider's identifier."""
        async with self._workspaces.open(order.id) as workspace:
            image, record = await self._ready(order, workspace)
            await self._reap(order)
            progress.activity(f"pushing to {order.provider.name}")
            report = progress.between(0, 99)
            context = PushContext(order.id, order.provider, order.credentials, resources, report)
            pushed = await self._leftovers.pushing(order.provider).push(image, context)
            await resources.remove_unused()
            storing = Task(self._store(order, record, pushed, resources))
            await storing.settled()  # the image is there now: a cancellation that comes here comes too late
            await storing
            return pushed.identifier

    async def _reap(self, order: PushOrder) -> None:
        """Delete what other pushes left at this account; what cannot be deleted does not stop this one."""
        try:
            await self._leftovers.reap(order.provider, order.credentials)
        except CancelledError:
            raise
        except FactoryError as error:
            self._log.warn("leftovers at {provider} stay: {error}", provider=order.provider.name, error=error)

    async def _ready(self, order: PushOrder, workspace: Path) -> tuple[Ready, TargetImageRecord]:
        id = order.target_image_id
        record = await self._records.target_image(id)
        path = await self._records.target_image_file(id, workspace)
        size = 0 if path is None else (await self._threads.run(path.stat)).st_size
        if record is None or path is None or size == 0:
            hint = "imported images have none: they are at their provider already"
            raise NotFound(f"the warehouse has no image file of target image {id}", hint=hint)
        source = await self._records.template(record.template) if record.template else None
        ready = Ready(
            id,
            size if record.size is None else record.size,
            lambda: reading(path, self._threads),
            template=self._parse(source) if source else None,
            parameters=record.target_parameters,
            icicle=record.icicle,
            path=path,
        )
        return ready, record

    async def _store(
        self, order: PushOrder, image: TargetImageRecord, pushed: Pushed, resources: LedgerResources
    ) -> None:
        record = ProviderImageRecord(
            order.id,
            image.id,
            order.provider.name,
            pushed.identifier,
            image.icicle,
            pushed.account or order.account,
            owner=order.owner,
        )
        await resources.keep()
        await self._records.store_provider_image(record, pushed.body)
        await resources.hand_over()
