"""The warehouse of this process: the embedded one, or one that is reached over HTTP."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from twisted.logger import Logger

from imagefactory.lib.concurrency.threads import ThreadPools
from imagefactory.model.records import Buckets, Kind
from imagefactory.settings import Settings
from imagefactory.warehouse.client.connect import WarehouseAddress, connect_warehouse, probe
from imagefactory.warehouse.client.exchange import is_ours
from imagefactory.warehouse.client.remote import RemoteWarehouse
from imagefactory.warehouse.copies import CopyDirectory
from imagefactory.warehouse.interface import Warehouse
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.replication import Replicator
from imagefactory.warehouse.server.context import Peers
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse, open_store

USUAL = "http://localhost:9090/"
"""Where version 1.0 expected a warehouse."""

SIGN = b'service="image_warehouse"'
"""What the root document of an Image Warehouse has in it."""

log = Logger()


@dataclass(frozen=True, slots=True)
class Storage:
    """The warehouse and the factory's records in it; `embedded` is the warehouse if it is in this process."""

    warehouse: Warehouse
    records: Records
    embedded: EmbeddedWarehouse | None
    url: str = ""

    async def place(self, kind: Kind, id: str) -> str:
        """Returns where the body of an object is: a file of this host, or a URL; empty if it has none."""
        bucket = self.records.buckets.of(kind)
        if self.embedded is None:
            return f"{self.url.rstrip('/')}/{bucket}/{id}"
        return str(await self.embedded.path(bucket, id) or "")


async def open_storage(
    settings: Settings, reactor: Any, pools: ThreadPools, stack: AsyncExitStack, *, look: bool, daemon: bool
) -> Storage:
    """Returns the warehouse of the settings; if they name none, the embedded one.

    Args:
        stack: closes it.
        look: whether a warehouse that answers at the usual address is used instead of the embedded one.
        daemon: this process stays: it has the time to sweep the embedded one.
    """
    url = settings.warehouse
    if not url and look and await probe(USUAL, reactor, pools.bulk):
        url = USUAL
        log.info("using the warehouse that answers at {url}", url=url)
    if url:
        remote = await connect_warehouse(_place(settings, url), reactor, pools.bulk)
        stack.push_async_callback(remote.close)
        return Storage(remote, Records(remote, buckets(settings)), None, url)
    embedded = await open_embedded(Path(settings.warehouse_path), pools, stack, sweep=daemon)
    return Storage(embedded, Records(embedded, buckets(settings)), embedded)


def _place(settings: Settings, url: str) -> WarehouseAddress:
    return WarehouseAddress(
        url,
        settings.warehouse_key,
        settings.warehouse_secret,
        settings.warehouse_ca,
        settings.warehouse_fingerprint,
        settings.warehouse_wait,
    )


def answers(url: str) -> bool:
    """As `probe`, for a process whose reactor does not run yet; blocks for a second at most."""
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310 - the URL is ours
            return SIGN in answer.read(1 << 20)
    except HTTPError as refusal:  # one of ours may demand a signature
        headers = refusal.headers
        refusal.close()
        return is_ours(lambda name: headers.get(name) or "")
    except (OSError, HTTPException):
        return False


async def open_embedded(
    path: Path, pools: ThreadPools, stack: AsyncExitStack, *, sweep: bool = True
) -> EmbeddedWarehouse:
    """Returns the warehouse in the directory `path`, which `stack` closes; for `sweep` see `open_store`."""
    store = await pools.bulk.run(partial(open_store, path, sweep=sweep))

    async def close() -> None:
        await pools.database.run(store.close)

    stack.push_async_callback(close)
    return EmbeddedWarehouse(store, pools.database, pools.bulk)


def start_replication(settings: Settings, embedded: EmbeddedWarehouse, reactor: Any, stack: AsyncExitStack) -> Peers:
    """Make the copies that policies demand, until `stack` ends; for the one process that serves the store."""
    directory = CopyDirectory(Path(settings.warehouse_copies) if settings.warehouse_copies else None)

    async def connect(place: WarehouseAddress) -> RemoteWarehouse:
        return await connect_warehouse(place, reactor, embedded.bulk)

    replicator = Replicator(embedded.store, embedded.bulk, reactor, connect, random.random, directory=directory)
    replicator.start()
    stack.push_async_callback(replicator.stop)
    return Peers(directory, replicator.has)


def buckets(settings: Settings) -> Buckets:
    """Returns the buckets of the settings."""
    return Buckets(
        image=settings.image_bucket,
        build=settings.build_bucket,
        target_image=settings.target_bucket,
        template=settings.template_bucket,
        icicle=settings.icicle_bucket,
        provider_image=settings.provider_bucket,
    )
