"""The warehouse of this run: the embedded one, or one that is reached over HTTP."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagefactory.concurrency.threads import Threads
from imagefactory.model.records import Buckets
from imagefactory.settings import Settings
from imagefactory.warehouse.interface import Warehouse
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse, open_store


@dataclass(frozen=True, slots=True)
class Storage:
    """The warehouse and the factory's records in it; `embedded` is the warehouse if it is in this process."""

    warehouse: Warehouse
    records: Records
    embedded: EmbeddedWarehouse | None


async def open_storage(settings: Settings, reactor: Any, threads: Threads, stack: AsyncExitStack) -> Storage:
    """Open it; `stack` closes it."""
    embedded = await open_embedded(Path(settings.warehouse_path), threads, stack)
    return Storage(embedded, Records(embedded, buckets(settings)), embedded)


async def open_embedded(path: Path, threads: Threads, stack: AsyncExitStack) -> EmbeddedWarehouse:
    """The store in the directory `path`."""
    store = await threads.run(open_store, path)

    async def close() -> None:
        await threads.run(store.close)

    stack.push_async_callback(close)
    return EmbeddedWarehouse(store, threads)


def buckets(settings: Settings) -> Buckets:
    """Which bucket holds what."""
    return Buckets(
        image=settings.image_bucket,
        build=settings.build_bucket,
        target_image=settings.target_bucket,
        template=settings.template_bucket,
        icicle=settings.icicle_bucket,
        provider_image=settings.provider_bucket,
    )
