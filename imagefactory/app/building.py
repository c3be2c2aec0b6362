"""The build side put together: engine, stages, targets, boot proof."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent

from imagefactory.app.clouds import InstalledClouds, target_content
from imagefactory.app.runtime import Runtime
from imagefactory.build.boot_check import BootCheck
from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.kept_trees import KeptTrees
from imagefactory.build.image_writer import ImageWriter
from imagefactory.build.pending_uploads import PendingUploads
from imagefactory.build.pipeline import Pipeline, Tools
from imagefactory.build.tree_actions import TreeActions
from imagefactory.lib.concurrency.clock import Clock, WallClock
from imagefactory.lib.concurrency.queue import Queue
from imagefactory.lib.files.daily import claim_daily
from imagefactory.lib.http.address_policy import networks
from imagefactory.lib.http.guarded import Rules, checked_agent
from imagefactory.lib.process.interface import Privilege
from imagefactory.lib.process.trees import remove_tree
from imagefactory.lib.tls.client import StrictPolicy
from imagefactory.model.merging import merge_target_content
from imagefactory.model.template import Template
from imagefactory.settings import Settings
from imagefactory.systems.engines.bootstrap.indexes import AT_ONCE
from imagefactory.systems.engines.bootstrap.mirrors import TrustedServers
from imagefactory.systems.engines.interface import Engine, EngineContext, SystemKind
from imagefactory.systems.engines.registry import ENGINES
from imagefactory.systems.guests.chroot import ChrootGuest
from imagefactory.systems.qemu.accel import Acceleration
from imagefactory.systems.qemu.running import Network
from imagefactory.systems.stages.trees import Trees
from imagefactory.warehouse.records import Records

CONNECT_SECONDS = 30
#: Images made or booted at once: one more than there are processors, because each waits for the disk now and then.
PLACES = (os.cpu_count() or 1) + 1
IDLE_SECONDS = 20


async def make_pipeline(
    settings: Settings, reactor: Any, runtime: Runtime, records: Records, clouds: InstalledClouds, *, untrusted: bool
) -> Pipeline:
    """Returns the `Builder` of the job service.

    Args:
        untrusted: templates come from clients of a daemon, who must not reach by it what only its host can reach.
    """
    sweep = await runtime.threads.run(partial(claim_daily, settings.state_dir / "swept", time.time(), always=untrusted))
    cache, kept = await _start_cache(settings, runtime, WallClock(reactor), evict=sweep)
    unstored = PendingUploads(settings.state_dir / "unstored", runtime.threads, time.time)
    if sweep:
        await unstored.sweep()
    engine = _engine(settings, reactor, runtime, untrusted=untrusted)

    async def merge(template: Template, target: str) -> Template:
        content = await runtime.threads.run(target_content, settings)
        return merge_target_content(template, content, target) if content else template

    return Pipeline(
        Tools(
            planner=engine,
            actions={SystemKind.TREE: _tree_actions(settings, runtime, engine)},
            cache=cache,
            kept=kept,
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


async def _start_cache(
    settings: Settings, runtime: Runtime, clock: Clock, *, evict: bool
) -> tuple[DirectoryCache, KeptTrees]:
    root, threads = settings.state_dir / "cache", runtime.threads

    async def remove(path: Path) -> None:
        await remove_tree(path, runtime.processes, runtime.privilege, threads)

    cache = DirectoryCache(root, settings.cache_size, remove=remove, threads=threads, clock=clock)
    await cache.start(evict=evict)
    return cache, KeptTrees(root, workspaces=runtime.builds, evict=cache.evict, threads=threads, clock=clock)


def _engine(settings: Settings, reactor: Any, runtime: Runtime, *, untrusted: bool) -> Engine:
    pool = HTTPConnectionPool(reactor)  # a plan asks one mirror several things
    pool.maxPersistentPerHost = AT_ONCE
    pool.cachedConnectionTimeout = IDLE_SECONDS
    agent: IAgent = Agent(reactor, StrictPolicy(), pool=pool, connectTimeout=CONNECT_SECONDS)
    if untrusted:
        agent = checked_agent(reactor, runtime.names.resolve, _rules(settings, runtime), pool)
    make = ENGINES.get(settings.engine)
    http = HTTPClient(agent)
    return make(EngineContext(settings, reactor, http, runtime.threads, runtime.processes, runtime.privilege))


def _rules(settings: Settings, runtime: Runtime) -> Rules:
    """Where the install and repository URLs of untrusted templates may lead."""
    allowed = networks((*settings.repository_networks, *settings.template_networks))
    trusted = TrustedServers(settings.mirrors, runtime.processes)
    return Rules(networks=allowed, trusts=trusted.trusts, seconds=CONNECT_SECONDS, setting="repository_networks")


def _tree_actions(settings: Settings, runtime: Runtime, engine: Engine) -> TreeActions:
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
