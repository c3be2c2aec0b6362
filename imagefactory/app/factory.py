"""Composes the factory: job service, templates, inventory, warehouse."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from imagefactory.app.building import make_pipeline
from imagefactory.app.clouds import InstalledClouds, install_targets
from imagefactory.app.runtime import Runtime, start_runtime
from imagefactory.app.storage import Storage, open_storage
from imagefactory.jobs.execution.reporter import LogBounds
from imagefactory.jobs.inventory import Inventory
from imagefactory.jobs.service import Collaborators, JobService, Limits
from imagefactory.jobs.store.interface import JobNode
from imagefactory.jobs.store.resources import open_ledger
from imagefactory.jobs.store.sqlite import open_store
from imagefactory.lib.concurrency.clock import WallClock, wait_steadily
from imagefactory.lib.concurrency.threads import ThreadPools
from imagefactory.lib.http.address_policy import networks
from imagefactory.lib.http.guarded import GuardedFetcher, Rules, checked_agent
from imagefactory.push.leftovers import Leftovers
from imagefactory.push.pusher import CloudPusher
from imagefactory.settings import Settings
from imagefactory.templates.gather import Bounds, Sources
from imagefactory.templates.resolve import Templates


@dataclass(frozen=True, slots=True)
class Factory:
    """A running factory; `stop` ends it in good order."""

    settings: Settings
    jobs: JobService
    templates: Templates
    inventory: Inventory
    clouds: InstalledClouds
    leftovers: Leftovers
    storage: Storage
    pools: ThreadPools
    _stack: AsyncExitStack

    async def stop(self) -> None:
        """Cancel running jobs, store their states, end all children."""
        await self._stack.aclose()


async def compose(settings: Settings, reactor: Any, *, resume: bool, look: bool = True) -> Factory:
    """Start a factory; what was started is stopped again if a later part cannot start.

    Args:
        reactor: provides time, processes, threads and connections.
        resume: whether queued jobs go on, as in the daemon.
        look: whether a warehouse that answers at the usual address is used if the settings name none.
    """
    stack = AsyncExitStack()
    try:
        return await _start(settings, reactor, stack, resume=resume, look=look)
    except BaseException:
        await stack.aclose()
        raise


async def _start(settings: Settings, reactor: Any, stack: AsyncExitStack, *, resume: bool, look: bool) -> Factory:
    wait_steadily(reactor)
    runtime = await start_runtime(settings, reactor, stack, daemon=resume)
    storage = await open_storage(settings, reactor, runtime.pools, stack, look=look, daemon=resume)
    targets = install_targets(settings, reactor, runtime, stack)
    clouds = InstalledClouds(targets, settings.provider_definitions, runtime.threads)
    templates = _templates(settings, reactor, runtime, storage)
    node = JobNode(runtime.token, daemon=resume)
    store = await open_store(settings.state_dir / "jobs.db", node, runtime.pools.database)
    stack.push_async_callback(store.close)
    pipeline = await make_pipeline(settings, reactor, runtime, storage.records, clouds, untrusted=resume)
    ledger = await open_ledger(settings.state_dir / "jobs.db", runtime.token, runtime.alive, runtime.pools.database)
    stack.push_async_callback(ledger.close)
    leftovers = Leftovers(ledger, storage.records, targets, WallClock(reactor))
    pusher = CloudPusher(
        storage.records, targets, leftovers, parse=templates.parse, workspaces=runtime.builds, threads=runtime.threads
    )
    collaborators = Collaborators(
        store=store,
        records=storage.records,
        builder=pipeline,
        pusher=pusher,
        parse=templates.parse,
        fetch=templates.complete,
        clock=WallClock(reactor),
        threads=runtime.threads,
        alive=runtime.alive,
        new_id=lambda: str(uuid4()),
        incident=lambda: secrets.token_hex(6),
    )
    await leftovers.reap_without_credentials()
    jobs = JobService(collaborators, _limits(settings))
    inventory = Inventory(storage.records, jobs, clouds)
    factory = Factory(settings, jobs, templates, inventory, clouds, leftovers, storage, runtime.pools, stack)
    stack.push_async_callback(jobs.stop)
    await jobs.start(resume=resume)
    return factory


EVERYWHERE = ("0.0.0.0/0", "::/0")
"""The user of the command can reach by other means what this host can reach: a URL gives away nothing."""


def _templates(settings: Settings, reactor: Any, runtime: Runtime, storage: Storage) -> Templates:
    schemes, limit = settings.template_schemes, settings.template_limit
    rules = Rules(schemes, networks(settings.template_networks), limit=limit)
    here = Rules(schemes, networks(EVERYWHERE), limit=limit)
    resolve = runtime.names.resolve
    fetcher, own = (GuardedFetcher(checked_agent(reactor, resolve, one), one, reactor) for one in (rules, here))
    bounds = Bounds(settings.template_sources, settings.template_sources_limit, settings.template_sources_timeout)
    return Templates(
        storage.records,
        fetcher.fetch,
        runtime.threads,
        Sources(bounds, reactor),
        limit=settings.template_limit,
        file_sources=[Path(text) for text in settings.file_sources],
        fetch_local=own.fetch,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        builds=settings.max_concurrent_local_sessions,
        ending=settings.stop_timeout,
        retention_days=settings.retention_days,
        log=LogBounds(settings.log_lines, settings.log_limit),
    )
