"""The two daemons: the factory with its REST API (and the embedded warehouse's port), and the warehouse alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.server import Site

from imagefactory.app.arguments import RestArguments
from imagefactory.app.clients import clients_of
from imagefactory.app.connections import WAREHOUSE, each_of_factory, most_connections
from imagefactory.app.factory import Factory, compose
from imagefactory.app.storage import USUAL, answers, open_embedded, start_replication
from imagefactory.lib.concurrency.clock import WallClock, wait_steadily
from imagefactory.lib.concurrency.threads import ThreadPools
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.http.names import NameResolver
from imagefactory.lib.oauth.memory import NonceFile
from imagefactory.lib.runtime.descriptors import make_room
from imagefactory.lib.runtime.heap import keep_pieces
from imagefactory.lib.secret import Secret
from imagefactory.lib.tls import identity as tls
from imagefactory.lib.tls.host_names import host_names
from imagefactory.lib.tls.renewal import Renewing
from imagefactory.rest.limits import LimitedSite
from imagefactory.service.daemon import Daemon, Listener
from imagefactory.service.instance import Instance
from imagefactory.service.listening import BoundSocket, bind
from imagefactory.service.notify import Notifier
from imagefactory.service.pidfile import PidFile
from imagefactory.settings import Settings
from imagefactory.warehouse.server.application import Application
from imagefactory.warehouse.server.context import Peers
from imagefactory.warehouse.server.limits import LimitedWarehouseSite
from imagefactory.warehouse.server.users import Users, load_users
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse

#: Seconds that a stopping daemon has beside those for its jobs: children are ended, everything is written down.
CLEARING_AWAY = 15

#: Where in the state directory, and in that of the warehouse, it stands what clients have signed.
NONCES = "oauth-nonces"

log = Logger()


@dataclass(frozen=True, slots=True)
class Served:
    """A warehouse of this process, where its copies go, and how many connections its port may have."""

    embedded: EmbeddedWarehouse
    outside: Peers
    most: int


class FactoryBody:
    """The factory between the daemon's start and stop."""

    def __init__(self, settings: Settings, reactor: Any, *, look: bool) -> None:
        self._settings = settings
        self._reactor = reactor
        self._look = look
        self._stack = AsyncExitStack()
        self._factory: Factory | None = None
        self._served: Served | None = None
        self._most = 0

    async def start(self) -> None:
        """Queued jobs go on."""
        self._factory = await compose(self._settings, self._reactor, resume=True, look=self._look)
        self._stack.push_async_callback(self._factory.stop)
        self._most = most_connections(self._settings, each_of_factory(self._settings))
        if self._factory.storage.embedded is not None:
            embedded = self._factory.storage.embedded
            outside = start_replication(self._settings, embedded, self._reactor, self._stack)
            self._served = Served(embedded, outside, self._most)

    async def stop(self) -> None:
        """Running jobs are cancelled, bounded in time."""
        await self._stack.aclose()

    def rest_site(self, clients: Mapping[str, Secret]) -> LimitedSite:
        """The REST API of the started factory."""
        from imagefactory.rest.site import make_site  # Klein installs a reactor when it is imported

        factory = self._started()
        return make_site(
            factory.jobs,
            factory.inventory,
            arguments=RestArguments(factory.templates, factory.clouds),
            clouds=factory.clouds,
            settings=replace(self._settings, max_connections=self._most),
            clock=WallClock(self._reactor),
            threads=factory.pools.bulk,
            clients=clients,
            nonces=NonceFile(self._settings.state_dir / NONCES),
        )

    def warehouse(self) -> Served:
        """The embedded warehouse of the started factory."""
        assert self._served is not None, "its port is only bound for an embedded warehouse, after the start"
        return self._served

    def _started(self) -> Factory:
        assert self._factory is not None, "faces are made after the start"
        return self._factory


class WarehouseBody:
    """A warehouse alone between the daemon's start and stop."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._stack = AsyncExitStack()
        self._served: Served | None = None

    async def start(self) -> None:
        """Open the store."""
        wait_steadily(self._reactor)
        pools = ThreadPools(self._reactor, yielding=True)
        pools.start()
        self._stack.push_async_callback(pools.stop)
        names = NameResolver(self._reactor)
        names.start()
        self._stack.push_async_callback(names.stop)
        embedded = await open_embedded(Path(self._settings.warehouse_path), pools, self._stack)
        outside = start_replication(self._settings, embedded, self._reactor, self._stack)
        make_room(self._settings.max_connections, each=WAREHOUSE)
        self._served = Served(embedded, outside, most_connections(self._settings, WAREHOUSE))

    async def stop(self) -> None:
        """Close it."""
        await self._stack.aclose()

    def warehouse(self) -> Served:
        """The opened store."""
        assert self._served is not None, "faces are made after the start"
        return self._served


def factory_daemon(settings: Settings, *, reopen_log: Callable[[], None] | None, pidfile: bool) -> Daemon:
    """What `imagefactory --rest` runs; claims the state directory and binds its ports at once.

    Raises FactoryErrors for all that keeps it from starting.
    """
    from twisted.internet import reactor

    marks = PidFile(Path(settings.pid_file)) if pidfile else None
    if marks is not None:
        marks.check()
    instance = Instance(settings.state_dir)
    instance.claim()
    clients = clients_of(settings)
    warehouse = _embedded_socket(settings)
    body = FactoryBody(settings, reactor, look=warehouse is None)
    faces = [_rest_listener(settings, lambda: body.rest_site(clients))]
    if warehouse is not None:
        faces.append(warehouse_listener(warehouse, settings, reactor, body.warehouse))
    notifier = Notifier(os.environ, os.getpid(), reactor)
    return Daemon(
        reactor,
        body,
        faces,
        instance=instance,
        notifier=notifier,
        pidfile=marks,
        reopen_log=reopen_log,
        patience=settings.stop_timeout + CLEARING_AWAY,
    )


def warehouse_daemon(settings: Settings, *, reopen_log: Callable[[], None] | None, pidfile: bool) -> Daemon:
    """What `imagewarehouse` runs."""
    from twisted.internet import reactor

    marks = PidFile(Path(settings.pid_file)) if pidfile else None
    if marks is not None:
        marks.check()
    instance = Instance(Path(settings.warehouse_path), "warehouse.lock", option="--path", mode=0o700)
    instance.claim()
    body = WarehouseBody(settings, reactor)
    socket = bind(settings.warehouse_address, settings.warehouse_port, "--address or --port")
    face = warehouse_listener(socket, settings, reactor, body.warehouse)
    notifier = Notifier(os.environ, os.getpid(), reactor)
    return Daemon(reactor, body, [face], instance=instance, notifier=notifier, pidfile=marks, reopen_log=reopen_log)


def _embedded_socket(settings: Settings) -> BoundSocket | None:
    """Where the embedded warehouse will listen; None if a warehouse is named, or one has the usual port already."""
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


def _rest_listener(settings: Settings, site: Callable[[], LimitedSite]) -> Listener:
    renewing = _tls(settings)
    socket = bind(settings.address, settings.port, "--address or --port")
    host, port = socket.address
    scheme = "https" if renewing else "http"
    where = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/imagefactory"

    doors: list[LimitedSite] = []

    def make() -> IProtocolFactory:
        doors.append(site())
        return _wrapped(doors[0], renewing)

    async def drain() -> None:
        for door in doors:
            await door.tasks.close()

    async def end() -> None:
        for door in doors:
            await door.connection_limit.close()

    return Listener(socket, make, f"the REST API answers on {where}{_said(renewing)}", drain=drain, end=end)


def warehouse_listener(
    socket: BoundSocket, settings: Settings, reactor: Any, warehouse: Callable[[], Served]
) -> Listener:
    """The warehouse's port."""
    users = load_users(Path(settings.warehouse_users)) if settings.warehouse_users else None
    pem = Path(settings.warehouse_pem)
    renewing = Renewing(lambda now: tls.chosen(tls.load(pem, now)), tls.today) if settings.warehouse_pem else None
    doors: list[LimitedWarehouseSite] = []

    def make() -> IProtocolFactory:
        keep_pieces()
        served = warehouse()
        embedded, clock = served.embedded, WallClock(reactor)
        nonces = NonceFile(Path(settings.warehouse_path) / NONCES)
        known = None if users is None else Users(users, clock.seconds, nonces)
        application = Application(embedded.store, embedded.threads, clock, known, served.outside, bulk=embedded.bulk)
        doors.append(LimitedWarehouseSite(application, clock, served.most))
        return _wrapped(doors[0], renewing)

    async def drain() -> None:
        for door in doors:
            await door.application.close()

    async def end() -> None:
        for door in doors:
            await door.connection_limit.close()

    host, port = socket.address
    scheme = "https" if renewing else "http"
    words = f"the warehouse answers on {scheme}://{host}:{port}/{_said(renewing)}"
    return Listener(socket, make, words, drain=drain, end=end)


def _tls(settings: Settings) -> Renewing | None:
    """What connections are wrapped with (None: nothing)."""
    if settings.no_ssl:
        if not _is_loopback(settings.address):
            log.warn("without TLS, passwords and templates can be read on the way: bind to loopback, or drop --no_ssl")
        return None

    def choose(now: datetime) -> tls.Chosen:
        return tls.choose(
            ssl_pem=settings.ssl_pem,
            keep_in=settings.state_dir if settings.ssl_keep else None,
            names=host_names(settings.address, settings.ssl_names),
            now=now,
        )

    return Renewing(choose, tls.today)


def _said(renewing: Renewing | None) -> str:
    """What the log says of the certificate."""
    if renewing is None:
        return ""
    return f", certificate SHA-256 {renewing.chosen.fingerprint}, good until {renewing.chosen.expires:%Y-%m-%d}"


def _wrapped(site: Site, renewing: Renewing | None) -> IProtocolFactory:
    factory: IProtocolFactory = site if renewing is None else TLSMemoryBIOFactory(renewing, False, site)
    return factory


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
