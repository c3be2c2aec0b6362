"""The REST service put together: which tables are mounted where, and what their handlers work with.

Importing this module imports Klein, which installs Twisted's default reactor: import it where a reactor is chosen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource

from imagefactory.jobs.interface import Jobs
from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.http.host_header import is_loopback
from imagefactory.lib.oauth.memory import Memory
from imagefactory.lib.secret import Secret
from imagefactory.rest.authentication import Authenticator
from imagefactory.rest.client_address import ClientAddress
from imagefactory.rest.health import Probe
from imagefactory.rest.interface import Arguments, ImageInventory, ListLeftovers, TargetCatalog
from imagefactory.rest.large_bodies import LargeBodies
from imagefactory.rest.limits import LimitedSite
from imagefactory.rest.metrics import RestMetrics
from imagefactory.rest.mounts import Mounts
from imagefactory.rest.oauth import OAuthScheme
from imagefactory.rest.request_source import RequestSource
from imagefactory.rest.route_table import Route
from imagefactory.rest.router import Router, RouterContext
from imagefactory.rest.stream import Streams, write_pieces
from imagefactory.rest.v1.documents import JobDocuments
from imagefactory.rest.v1.errors import ERRORS
from imagefactory.rest.v1.openapi import openapi_document
from imagefactory.rest.v1.ownership import Ownership
from imagefactory.rest.v1.routes import ROOT_TABLE, ROUTES, TABLE
from imagefactory.rest.v1.services import ApiServices
from imagefactory.settings.client_secret import admins
from imagefactory.settings.table import Settings

#: Of the connections that a site may have, so many may be streams, which last.
STREAMS = 3 / 4


def make_site(
    jobs: Jobs,
    inventory: ImageInventory,
    *,
    arguments: Arguments,
    targets: TargetCatalog,
    leftovers: ListLeftovers,
    settings: Settings,
    clock: IReactorTime,
    threads: Threads,
    clients: Mapping[str, Secret] | None = None,
    nonces: Memory | None = None,
    mounts: Mapping[str, Resource] | None = None,
    max_connections: int | None = None,
) -> LimitedSite:
    """Returns the site that the daemon listens with; its owner closes `tasks` before the job service stops.

    Args:
        clients: secrets of OAuth clients by key, if not those of the settings.
        nonces: remembers used nonces over restarts.
        mounts: further resources by prefix, beside the API (see `Mounts`).
        max_connections: how many the system can serve (None: as many as the settings want).
    """
    connections = settings.max_connections if max_connections is None else max_connections
    site: LimitedSite
    tasks = TaskSet("the REST API")
    streams = Streams(clock, max(1, int(connections * STREAMS)), settings.request_timeout)
    metrics = RestMetrics(jobs, lambda: streams.count, lambda: len(site.connection_limit))
    known = settings.clients if clients is None else clients
    services = ApiServices(
        jobs=jobs,
        inventory=inventory,
        arguments=arguments,
        targets=targets,
        documents=JobDocuments(jobs.queue_position),
        streams=streams,
        probes=[Probe("job_store", jobs.probe, clock, tasks), Probe("warehouse", inventory.probe, clock, tasks)],
        metrics=metrics.text,
        openapi=_openapi,
        leftovers=leftovers,
        ownership=Ownership(inventory, admins(known), checked=settings.ownership == "on"),
        tasks=tasks,
    )
    address = ClientAddress(settings.trusted_proxies)
    context = RouterContext(
        authenticator=Authenticator([OAuthScheme(known, clock, nonces)]),
        guards=_guards(settings),
        source=_source(settings, address),
        address=address,
        metrics=metrics,
        large_bodies=LargeBodies(threads),
        write=partial(write_pieces, clock=clock, timeout=settings.request_timeout),
        tasks=tasks,
    )
    root = Router(ROOT_TABLE, services, context).resource()
    api = {TABLE.prefix: Router(TABLE, services, context).resource(), "": root}
    api |= {route.path: root for route in ROOT_TABLE.routes}  # they stay if something else is mounted at the root
    site = LimitedSite(
        Mounts({**api, **(mounts or {})}, ERRORS),
        clock,
        request_limit=settings.request_limit,
        request_timeout=settings.request_timeout,
        max_connections=connections,
        each=settings.connections_per_address,
        proxies=settings.trusted_proxies,
        errors=ERRORS,
        tasks=tasks,
    )
    return site


def _guards(settings: Settings) -> Callable[[Route[Any]], bool]:
    """Returns which routes demand authentication."""
    if settings.no_oauth:
        return lambda route: False  # noqa: ARG005
    if settings.oauth_reads is not False:
        return lambda route: not route.public
    return lambda route: route.protected


def _source(settings: Settings, address: ClientAddress) -> RequestSource | None:
    """Returns what checks the requests that demand no authentication; None where any name may be the service's."""
    if settings.no_oauth or is_loopback(settings.address):
        return RequestSource([*settings.rest_names, *settings.ssl_names], address, pages=settings.no_oauth)
    return None


@cache
def _openapi() -> bytes:
    return json.dumps(openapi_document(ROUTES, TABLE.version)).encode()
