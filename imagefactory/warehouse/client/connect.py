"""Putting a client together."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.oauth.signer import Signer
from imagefactory.lib.secret import Secret
from imagefactory.lib.tls.client import StrictPolicy, read_authorities
from imagefactory.warehouse.client.exchange import ClientRequest, Exchange
from imagefactory.warehouse.client.receiving import IncomingResponse
from imagefactory.warehouse.client.remote import RemoteWarehouse
from imagefactory.warehouse.client.waiting import Waiting

CONNECT_SECONDS = 30
CONNECTIONS = 8
KEPT_SECONDS = 60
"""How long an idle connection is kept: less than our server keeps its end."""


@dataclass(frozen=True, slots=True)
class WarehouseAddress:
    """Where a warehouse is, who we are to it, and how long a job waits for it (seconds).

    `ca` is a PEM file of authorities, `fingerprint` the SHA-256 of the only certificate that is accepted; without both
    the system's authorities are trusted. `copies`: we are the master of the copies that are there.
    """

    url: str
    key: str = ""
    secret: Secret = field(default_factory=lambda: Secret(""))
    ca: str = ""
    fingerprint: str = ""
    wait: float = 600
    copies: bool = False


async def connect_warehouse(place: WarehouseAddress, reactor: Any, threads: Threads) -> RemoteWarehouse:
    """A client; nothing is asked yet, so that a warehouse that is down now may come up later.

    `reactor` provides time and connections. InvalidInput if the authorities cannot be read.
    """
    pem = await threads.run(read_authorities, Path(place.ca)) if place.ca else b""
    pool = _pool(reactor)
    agent = Agent(reactor, StrictPolicy(pem, place.fingerprint), connectTimeout=CONNECT_SECONDS, pool=pool)

    digesters = ThreadPoolExecutor(os.cpu_count(), "digest")  # has no thread before it is used

    async def close() -> None:
        await pool.closeCachedConnections()
        await threads.run(digesters.shutdown)

    exchange = make_exchange(place, agent, reactor, threads, time.time, digesters=digesters)
    return RemoteWarehouse(exchange, close, master=place.copies)


def make_exchange(
    place: WarehouseAddress,
    agent: IAgent,
    clock: Clock,
    threads: Threads,
    now: Callable[[], float] | None = None,
    *,
    digesters: Executor | None = None,
) -> Exchange:
    """What a `RemoteWarehouse` talks through, over any agent; it signs with the time of `now`, or else of `clock`."""
    signer = Signer(place.key, place.secret, now or clock.seconds) if place.key and place.secret else None
    waiting = Waiting(clock, random.random, place.wait)
    return Exchange(
        HTTPClient(agent),
        place.url,
        clock=clock,
        threads=threads,
        waiting=waiting,
        signer=signer,
        digesters=digesters,
    )


def _pool(reactor: Any) -> HTTPConnectionPool:
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = CONNECTIONS
    pool.cachedConnectionTimeout = KEPT_SECONDS
    pool.retryAutomatically = False  # that is what Waiting is for
    return pool


async def probe(url: str, reactor: Any, threads: Threads, *, seconds: float = 1.0) -> bool:
    """Whether something answers at `url` that is an Image Warehouse, ours or iwhd; in `seconds`, without any error."""
    pool = HTTPConnectionPool(reactor, persistent=False)
    agent = Agent(reactor, StrictPolicy(), connectTimeout=seconds, pool=pool)
    return await looks_like_warehouse(make_exchange(WarehouseAddress(url), agent, reactor, threads), reactor, seconds)


async def looks_like_warehouse(exchange: Exchange, clock: Clock, seconds: float) -> bool:
    """As `probe`, over an exchange."""

    async def take(arrival: IncomingResponse) -> bytes:
        return await arrival.read(1 << 20)

    try:
        root = await timeout(clock, seconds, exchange.once(ClientRequest("GET", "/", {200, 401}), take))
    except (TimeoutError, FactoryError):
        return False
    return bool(exchange.ours) or b'service="image_warehouse"' in root
