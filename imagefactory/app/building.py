"""The build side put together: engine, stages, targets, boot proof."""

from __future__ import annotations

import os
import time
from collections.abc import Container, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from treq.client import HTTPClient
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent

from imagefactory.app.clouds import InstalledClouds, target_content
from imagefactory.app.runtime import Runtime
from imagefactory.build.boot_check import BootCheck
from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.image_writer import ImageWriter
from imagefactory.build.pending_uploads import PendingUploads
from imagefactory.build.pipeline import Pipeline, Tools
from imagefactory.build.tree_actions import TreeActions
from imagefactory.lib.concurrency.clock import WallClock
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.files.daily import claim_daily
from imagefactory.lib.http.address_policy import networks
from imagefactory.lib.http.guarded import Rules, checked_agent
from imagefactory.lib.process.interface import Privilege
from imagefactory.lib.tls.client import StrictPolicy
from imagefactory.model.merging import merge_target_content
from imagefactory.model.template import Template
from imagefactory.settings import Settings
from imagefactory.systems.engines.bootstrap.engine import BootstrapSettings
from imagefactory.systems.engines.bootstrap.indexes import AT_ONCE, Indexes
from imagefactory.systems.engines.bootstrap.keys import DIRECTORIES
from imagefactory.systems.engines.interface import Engine
from imagefactory.systems.engines.registry import ENGINES
from imagefactory.systems.guests.chroot import ChrootGuest
from imagefactory.systems.qemu.accel import Acceleration
from imagefactory.systems.qemu.boot import Network
from imagefactory.systems.stages.trees import Trees
from imagefactory.warehouse.records import Records

CONNECT_SECONDS = 30
#: Images made or booted at once: one more than there are processors, because each waits for the disk now and then.
PLACES = (os.cpu_count() or 1) + 1
IDLE_SECONDS = 20


async def make_pipeline(
    settings: Settings, reactor: Any, runtime: Runtime, records: Records, clouds: InstalledClouds, *, strangers: bool
) -> Pipeline:
    """The `Builder` of the job service; `strangers` may send templates to a daemon, where only its host can reach."""
    cache = DirectoryCache(
        settings.state_dir / "cache", settings.cache_size, threads=runtime.threads, clock=WallClock(reactor)
    )
    sweep = await runtime.threads.run(partial(claim_daily, settings.state_dir / "swept", time.time(), always=strangers))
    await cache.start(evict=sweep)
    unstored = PendingUploads(settings.state_dir / "unstored", runtime.threads, time.time)
    if sweep:
        await unstored.sweep()
    engine = _engine(settings, reactor, runtime, strangers=strangers)

    async def merge(template: Template, target: str) -> Template:
        content = await runtime.threads.run(target_content, settings)
        return merge_target_content(template, content, target) if content else template

    return Pipeline(
        Tools(
            planner=engine,
            actions=_actions(settings, runtime, engine),
            cache=cache,
            target=clouds.target,
            merge=merge,
            prove=_prover(settings, reactor, runtime).prove,
            results=ImageWriter(records),
            unstored=unstored,
            workspaces=runtime.builds,
            threads=runtime.threads,
            processors=Queue(PLACES),
        )
    )


def _engine(settings: Settings, reactor: Any, runtime: Runtime, *, strangers: bool) -> Engine:
    make: Any = ENGINES.get(settings.engine)  # whoever registers an engine is handed what ours is handed
    pool = HTTPConnectionPool(reactor)  # a plan asks one mirror several things
    pool.maxPersistentPerHost = AT_ONCE
    pool.cachedConnectionTimeout = IDLE_SECONDS
    trusted = _hosts_of(settings.mirrors)
    agent: IAgent = Agent(reactor, StrictPolicy(), pool=pool, connectTimeout=CONNECT_SECONDS)
    if strangers:
        agent = checked_agent(reactor, runtime.names.resolve, _rules(settings, trusted), pool)
    http = HTTPClient(agent)
    directories = (*map(Path, settings.key_directories), *DIRECTORIES)
    options = BootstrapSettings(settings.mirrors, settings.timeout, directories, trust=trusted.add)
    engine: Engine = make(runtime.processes, runtime.privilege, runtime.threads, Indexes(http, reactor), options)
    return engine


def _rules(settings: Settings, trusted: Container[str]) -> Rules:
    """Where the install and repository URLs of strangers may lead."""
    allowed = networks((*settings.repository_networks, *settings.template_networks))
    return Rules(networks=allowed, trusted=trusted, seconds=CONNECT_SECONDS, setting="repository_networks")


def _hosts_of(mirrors: Mapping[str, str]) -> set[str]:
    """Hosts that an administrator sends builds to may be anywhere."""
    return {host for url in mirrors.values() if (host := urlsplit(url).hostname)}


def _actions(settings: Settings, runtime: Runtime, engine: Engine) -> TreeActions:
    def guest(tree: Path, privilege: Privilege) -> ChrootGuest:
        return ChrootGuest(tree, runtime.processes, privilege, timeout=settings.timeout)

    return TreeActions(
        engine=engine,
        guest=guest,
        trees=Trees(runtime.processes, runtime.threads, runtime.privilege),
        processes=runtime.processes,
        privilege=runtime.privilege,
        threads=runtime.threads,
        timeout=settings.timeout,
    )


def _prover(settings: Settings, reactor: Any, runtime: Runtime) -> BootCheck:
    acceleration = Acceleration(
        settings.accel,
        processes=runtime.processes,
        threads=runtime.threads,
        clock=reactor,
        tmpdir=runtime.tmpdir,
    )
    return BootCheck(
        acceleration=acceleration,
        processes=runtime.processes,
        threads=runtime.threads,
        clock=reactor,
        network=Network.of(reactor),
        tmpdir=runtime.tmpdir,
        limit=settings.timeout,
    )
