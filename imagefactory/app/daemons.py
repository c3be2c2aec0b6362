"""The two daemons: the factory with its REST API (and the embedded warehouse's port), and the warehouse alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from imagefactory.app.arguments import RestArguments
from imagefactory.app.clients import clients_of
from imagefactory.app.connections import WAREHOUSE, each_of_factory, most_connections
from imagefactory.app.factory import Factory, compose
from imagefactory.app.listeners import ServedWarehouse, rest_listener, warehouse_listener
from imagefactory.app.runtime import start_threads
from imagefactory.app.storage import USUAL, answers, open_embedded, start_replication
from imagefactory.lib.concurrency.clock import WallClock, wait_steadily
from imagefactory.lib.concurrency.threads import ThreadPools, Threads
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.oauth.memory import NonceFile
from imagefactory.lib.runtime.descriptors import raise_limit
from imagefactory.lib.secret import Secret
from imagefactory.rest.limits import LimitedSite
from imagefactory.service.daemon import Daemon
from imagefactory.service.instance import Instance
from imagefactory.service.listening import BoundSocket, bind
from imagefactory.service.notify import Notifier
from imagefactory.service.pidfile import PidFile
from imagefactory.settings import Settings
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse

CLEARING_AWAY = 15
"""Seconds that a stopping daemon has beside those for its jobs: children are ended, states are stored."""

NONCES = "oauth-nonces"
"""The file of what clients have signed, in the state directory and in that of the warehouse."""


class FactoryService:
    """The factory between the daemon's start and stop."""

    def __init__(self, settings: Settings, reactor: Any, *, look: bool) -> None:
        self._settings = settings
        self._reactor = reactor
        self._look = look
        self._stack = AsyncExitStack()
        self._factory: Factory | None = None
        self._nonces: NonceFile | None = None
        self._served: ServedWarehouse | None = None
        self._most = 0

    async def start(self) -> None:
        """Start it; queued jobs go on."""
        self._factory = await compose(self._settings, self._reactor, resume=True, look=self._look)
        self._stack.push_async_callback(self._factory.stop)
        self._most = most_connections(self._settings, each_of_factory(self._settings))
        self._nonces = await _open_nonces(self._settings.state_dir, self._factory.pools.database, self._stack)
        if self._factory.storage.embedded is not None:
            embedded = self._factory.storage.embedded
            self._served = await _serve(self._settings, self._reactor, embedded, self._stack, self._most)

    async def stop(self) -> None:
        """Cancel running jobs, within a limit of time, and close everything."""
        await self._stack.aclose()

    def rest_site(self, clients: Mapping[str, Secret]) -> LimitedSite:
        """Returns the REST API of the started factory."""
        from imagefactory.rest.site import make_site  # Klein installs a reactor when it is imported

        factory = self._started()
        return make_site(
            factory.jobs,
            factory.inventory,
            arguments=RestArguments(factory.templates, factory.clouds),
            targets=factory.clouds,
            leftovers=factory.leftovers.find,
            settings=self._settings,
            max_connections=self._most,
            clock=WallClock(self._reactor),
            threads=factory.pools.bulk,
            clients=clients,
            nonces=self._nonces,
        )

    def pools(self) -> ThreadPools:
        """Returns the threads of the started factory."""
        return self._started().pools

    def warehouse(self) -> ServedWarehouse:
        """Returns the embedded warehouse of the started factory."""
        assert self._served is not None, "its port is only bound for an embedded warehouse, after the start"
        return self._served

    def _started(self) -> Factory:
        assert self._factory is not None, "it is asked for after the start"
        return self._factory


class WarehouseService:
    """A warehouse alone between the daemon's start and stop."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._stack = AsyncExitStack()
        self._served: ServedWarehouse | None = None

    async def start(self) -> None:
        """Open the store."""
        wait_steadily(self._reactor)
        pools, _ = start_threads(self._reactor, self._stack, yielding=True)
        embedded = await open_embedded(Path(self._settings.warehouse_path), pools, self._stack)
        raise_limit(self._settings.max_connections, each=WAREHOUSE)
        most = most_connections(self._settings, WAREHOUSE)
        self._served = await _serve(self._settings, self._reactor, embedded, self._stack, most)

    async def stop(self) -> None:
        """Close it."""
        await self._stack.aclose()

    def warehouse(self) -> ServedWarehouse:
        """Returns the opened store."""
        assert self._served is not None, "it is asked for after the start"
        return self._served


async def _serve(
    settings: Settings, reactor: Any, embedded: EmbeddedWarehouse, stack: AsyncExitStack, most: int
) -> ServedWarehouse:
    """Start what a warehouse needs that other processes reach; `stack` stops it."""
    nonces = await _open_nonces(Path(settings.warehouse_path), embedded.threads, stack)
    return ServedWarehouse(embedded, start_replication(settings, embedded, reactor, stack), nonces, most)


async def _open_nonces(directory: Path, threads: Threads, stack: AsyncExitStack) -> NonceFile:
    nonces = await NonceFile.open(directory / NONCES, threads)
    stack.push_async_callback(nonces.close)
    return nonces


def factory_daemon(settings: Settings, *, reopen_log: Callable[[], None] | None, pidfile: bool) -> Daemon:
    """Returns the daemon of `imagefactory --rest`; claims the state directory and binds its ports at once.

    Raises:
        FactoryError: something keeps it from starting.
    """
    from twisted.internet import reactor

    pid_file = PidFile(Path(settings.pid_file)) if pidfile else None
    if pid_file is not None:
        pid_file.check()
    instance = Instance(settings.state_dir)
    instance.claim()
    clients = clients_of(settings)
    warehouse = _embedded_socket(settings)
    service = FactoryService(settings, reactor, look=warehouse is None)
    listeners = [rest_listener(settings, reactor, lambda: service.rest_site(clients), service.pools)]
    if warehouse is not None:
        listeners.append(warehouse_listener(warehouse, settings, reactor, service.warehouse))
    notifier = Notifier(os.environ, os.getpid(), reactor)
    return Daemon(
        reactor,
        service,
        listeners,
        instance=instance,
        notifier=notifier,
        pidfile=pid_file,
        reopen_log=reopen_log,
        patience=settings.stop_timeout + CLEARING_AWAY,
    )


def warehouse_daemon(settings: Settings, *, reopen_log: Callable[[], None] | None, pidfile: bool) -> Daemon:
    """Returns the daemon of `imagewarehouse`, as `factory_daemon` does."""
    from twisted.internet import reactor

    pid_file = PidFile(Path(settings.pid_file)) if pidfile else None
    if pid_file is not None:
        pid_file.check()
    instance = Instance(Path(settings.warehouse_path), "warehouse.lock", option="--path", mode=0o700)
    instance.claim()
    service = WarehouseService(settings, reactor)
    socket = bind(settings.warehouse_address, settings.warehouse_port, "--address or --port")
    listeners = [warehouse_listener(socket, settings, reactor, service.warehouse)]
    notifier = Notifier(os.environ, os.getpid(), reactor)
    return Daemon(
        reactor, service, listeners, instance=instance, notifier=notifier, pidfile=pid_file, reopen_log=reopen_log
    )


def _embedded_socket(settings: Settings) -> BoundSocket | None:
    """Returns where the embedded warehouse will listen; None if one is named, or one has the usual port already."""
    if settings.warehouse:
        return None
    try:
        return bind(settings.warehouse_address, settings.warehouse_port, "--warehouse_address or --warehouse_port")
    except FactoryError:
        usual = Settings()
        here = (settings.warehouse_address, settings.warehouse_port)
        if here == (usual.warehouse_address, usual.warehouse_port) and answers(USUAL):
            return None
        raise
