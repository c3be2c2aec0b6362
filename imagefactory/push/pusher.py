"""Does push jobs: from the warehouse to a provider, and the record of it back into the warehouse."""

from __future__ import annotations

from pathlib import Path

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import NotFound, Unsupported
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed
from imagefactory.model.providers import Provider
from imagefactory.model.records import ProviderImageRecord, TargetImageRecord
from imagefactory.model.report import Progress
from imagefactory.model.template import Parse
from imagefactory.push.interface import PushOrder
from imagefactory.targets.interface import Push, Pushed, Ready
from imagefactory.targets.registry import InstalledTargets
from imagefactory.warehouse.records import Records


class CloudPusher:
    """`Pusher` over the installed targets."""

    def __init__(self, records: Records, targets: InstalledTargets, parse: Parse, workspaces: Workspaces) -> None:
        self._records = records
        self._targets = targets
        self._parse = parse
        self._workspaces = workspaces

    def account(self, provider: Provider, credentials: Credentials | None) -> str | None:
        """See `Pusher`."""
        return self._pushing(provider).account(credentials, provider)

    def concurrency(self, target: str) -> int | None:
        """See `Pusher`."""
        return self._targets.concurrency(target)

    async def push(self, order: PushOrder, progress: Progress) -> Completed:
        """See `Pusher`."""
        pushing = self._pushing(order.provider)
        async with self._workspaces.open(order.id) as workspace:
            image, record = await self._ready(order, workspace)
            progress.activity(f"pushing to {order.provider.name}")
            report = progress.between(0, 99)
            async with self._workspaces.noted(pushing.files(order.id, order.provider)):
                pushed = await pushing.push(image, order.id, order.provider, order.credentials, report)
            storing = Task(self._store(order, record, pushed, pushing))
            await storing.settled()  # the image is there now: a cancellation that comes here comes too late
            await storing
        return Completed(identifier=pushed.identifier)

    def _pushing(self, provider: Provider) -> Push:
        pushing = self._targets.target(provider.target).pushing
        if pushing is None:
            raise Unsupported(f"pushing to {provider.target} is not available in this version")
        return pushing

    async def _ready(self, order: PushOrder, workspace: Path) -> tuple[Ready, TargetImageRecord]:
        id = order.target_image_id
        record = await self._records.target_image(id)
        path = await self._records.target_image_file(id, workspace)
        if record is None or path is None or path.stat().st_size == 0:
            hint = "imported images have none: they are at their provider already"
            raise NotFound(f"the warehouse has no image file of target image {id}", hint=hint)
        source = await self._records.template(record.template) if record.template else None
        template = self._parse(source) if source else None
        size = record.size if record.size is not None else path.stat().st_size
        return Ready(id, path, size, template, record.target_parameters, record.icicle), record

    async def _store(self, order: PushOrder, image: TargetImageRecord, pushed: Pushed, pushing: Push) -> None:
        record = ProviderImageRecord(
            order.id,
            image.id,
            order.provider.name,
            pushed.identifier,
            image.icicle,
            pushed.account or order.account,
        )
        try:
            await self._records.store_provider_image(record, pushed.body)
        except Exception:
            await pushing.delete(pushed.identifier, order.provider, order.credentials)
            raise
