"""What the daemons' ports answer with, and the TLS around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.server import Site

from imagefactory.lib.concurrency.clock import WallClock
from imagefactory.lib.concurrency.threads import ThreadPools, Threads
from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.http.host_header import is_loopback
from imagefactory.lib.oauth.memory import NonceFile
from imagefactory.lib.runtime.heap import freeze_objects, keep_pieces
from imagefactory.lib.tls import identity as tls
from imagefactory.lib.tls.host_names import host_names
from imagefactory.lib.tls.renewal import RenewedContext
from imagefactory.rest.limits import LimitedSite
from imagefactory.service.daemon import Listener
from imagefactory.service.listening import BoundSocket, bind
from imagefactory.settings import Settings
from imagefactory.warehouse.server.application import Application
from imagefactory.warehouse.server.context import Peers
from imagefactory.warehouse.server.limits import LimitedWarehouseSite
from imagefactory.warehouse.server.users import Users, load_users
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse

log = Logger()


@dataclass(frozen=True, slots=True)
class ServedWarehouse:
    """A warehouse of this process, where its copies go, what was signed, and how many connections its port may have."""

    embedded: EmbeddedWarehouse
    outside: Peers
    nonces: NonceFile
    most: int


def rest_listener(
    settings: Settings, reactor: Any, site: Callable[[], LimitedSite], pools: Callable[[], ThreadPools]
) -> Listener:
    """Binds the port of the REST API, and reads or makes its certificate.

    Args:
        site, pools: the API and the threads of the factory, asked for when it has started.

    Raises:
        InvalidInput: every host of the network could build.
        FactoryError: the port or the certificate cannot be used.
    """
    _check_exposure(settings)
    context = _rest_context(settings)
    socket = bind(settings.address, settings.port, "--address or --port")
    host, port = socket.address
    url = f"{_scheme(context)}://{f'[{host}]' if ':' in host else host}:{port}/imagefactory"
    sites: list[LimitedSite] = []

    def make() -> IProtocolFactory:
        sites.append(site())
        freeze_objects()
        return _wrapped(sites[0], context, pools().bulk, reactor)

    async def drain() -> None:
        if context is not None:
            await context.stop()
        for one in sites:
            await one.tasks.close()

    async def end() -> None:
        for one in sites:
            await one.connection_limit.close()

    description = f"the REST API answers on {url}{_certificate(context)}"
    return Listener(socket, make, description, drain=drain, end=end)


def warehouse_listener(
    socket: BoundSocket, settings: Settings, reactor: Any, warehouse: Callable[[], ServedWarehouse]
) -> Listener:
    """Serves the warehouse, asked for when it has started, on a port that is bound."""
    users = load_users(Path(settings.warehouse_users)) if settings.warehouse_users else None
    pem = Path(settings.warehouse_pem)
    context = RenewedContext(lambda now: tls.chosen(tls.load(pem, now)), tls.today) if settings.warehouse_pem else None
    sites: list[LimitedWarehouseSite] = []

    def make() -> IProtocolFactory:
        keep_pieces()
        served, clock = warehouse(), WallClock(reactor)
        embedded = served.embedded
        known = None if users is None else Users(users, clock.seconds, served.nonces)
        application = Application(embedded.store, embedded.threads, clock, known, served.outside, bulk=embedded.bulk)
        sites.append(LimitedWarehouseSite(application, clock, served.most, settings.connections_per_address))
        freeze_objects()
        return _wrapped(sites[0], context, embedded.bulk, reactor)

    async def drain() -> None:
        if context is not None:
            await context.stop()
        for one in sites:
            await one.application.close()

    async def end() -> None:
        for one in sites:
            await one.connection_limit.close()

    host, port = socket.address
    description = f"the warehouse answers on {_scheme(context)}://{host}:{port}/{_certificate(context)}"
    return Listener(socket, make, description, drain=drain, end=end)


def _check_exposure(settings: Settings) -> None:
    if settings.no_oauth and not is_loopback(settings.address):
        raise InvalidInput(
            f"without OAuth the REST API listens on loopback only, not on {settings.address}",
            where="--no_oauth",
            hint="add --address 127.0.0.1, or drop --no_oauth",
        )
    if settings.oauth_reads is False and not is_loopback(settings.address):
        log.warn("without OAuth for reads, every host of the network sees jobs and logs: oauth_reads sets this")


def _rest_context(settings: Settings) -> RenewedContext | None:
    """Returns what connections are wrapped with (None: nothing)."""
    if settings.no_ssl:
        if not is_loopback(settings.address):
            log.warn("without TLS, passwords and templates can be read on the way: bind to loopback, or drop --no_ssl")
        return None

    def choose(now: datetime) -> tls.Chosen:
        return tls.choose(
            ssl_pem=settings.ssl_pem,
            keep_in=settings.state_dir if settings.ssl_keep else None,
            names=host_names(settings.address, settings.ssl_names),
            now=now,
        )

    return RenewedContext(choose, tls.today)


def _scheme(context: RenewedContext | None) -> str:
    return "http" if context is None else "https"


def _certificate(context: RenewedContext | None) -> str:
    """Returns what the log says of the certificate."""
    if context is None:
        return ""
    return f", certificate SHA-256 {context.chosen.fingerprint}, good until {context.chosen.expires:%Y-%m-%d}"


def _wrapped(site: Site, context: RenewedContext | None, threads: Threads, reactor: Any) -> IProtocolFactory:
    """Returns the site, behind TLS if there is a context, which is kept fresh from now on."""
    if context is None:
        factory: IProtocolFactory = site
        return factory
    context.start(threads, reactor)
    wrapped: IProtocolFactory = TLSMemoryBIOFactory(context, False, site)
    return wrapped
