"""The REST service put together: routes to resources, the gate, the door.

Importing this module imports Klein, which installs Twisted's default reactor: import it where a reactor is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, cast
from urllib.parse import unquote_to_bytes

from klein import Klein
from klein.resource import KleinResource
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.exceptions import HTTPException

from imagefactory.jobs.interface import Jobs
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.oauth.memory import Memory
from imagefactory.lib.secret import Secret
from imagefactory.rest.authentication import Authenticator, NoAuthentication, OAuthAuthenticator
from imagefactory.rest.call import Call
from imagefactory.rest.client_address import ClientAddress
from imagefactory.rest.errors import error_reply, reply_to
from imagefactory.rest.events import Events
from imagefactory.rest.health import Probe
from imagefactory.rest.interface import Arguments, Clouds, Inventory
from imagefactory.rest.large_bodies import SMALL, LargeBodies
from imagefactory.rest.large_replies import pour
from imagefactory.rest.limits import LimitedRequest, LimitedSite
from imagefactory.rest.metrics import Metrics
from imagefactory.rest.reply import Reply
from imagefactory.rest.stream import Streams
from imagefactory.rest.v1.builders import Builders
from imagefactory.rest.v1.builds import Builds
from imagefactory.rest.v1.documents import JobDocuments
from imagefactory.rest.v1.images import Images
from imagefactory.rest.v1.info import Info
from imagefactory.rest.v1.provider_images import ProviderImages
from imagefactory.rest.v1.routes import ROUTES, Route
from imagefactory.rest.v1.target_images import TargetImages
from imagefactory.rest.v1.targets import Targets
from imagefactory.settings.table import Settings

Answer = Reply | Coroutine[Deferred[Any], Any, Reply | None]
Handler = Callable[[Call], Answer]


def make_site(
    jobs: Jobs,
    inventory: Inventory,
    *,
    arguments: Arguments,
    clouds: Clouds,
    settings: Settings,
    clock: IReactorTime,
    threads: Threads,
    clients: Mapping[str, Secret] | None = None,
    nonces: Memory | None = None,
) -> LimitedSite:
    """The site that the daemon listens with.

    `clients` are the OAuth clients if they are not those of the settings; `nonces` remembers over restarts what they
    have signed.
    """
    door: LimitedSite
    streams = Streams(clock, max(1, settings.max_connections * 3 // 4), settings.request_timeout)
    metrics = Metrics(jobs, lambda: streams.count, lambda: len(door.connection_limit))
    probes = [Probe("job_store", jobs.probe, clock), Probe("warehouse", inventory.probe, clock)]
    info = Info(metrics.text, lambda: jobs.open, probes)
    known = settings.clients if clients is None else clients
    gate: Authenticator = NoAuthentication() if settings.no_oauth else OAuthAuthenticator(known, clock, nonces)
    switch = Router(
        _families(jobs, inventory, arguments, clouds, streams=streams, info=info),
        gate,
        ClientAddress(settings.trusted_proxies),
        metrics,
        large=LargeBodies(threads),
        pour=partial(pour, clock=clock, patience=settings.request_timeout),
        guard_reads=settings.oauth_reads,
    )
    door = LimitedSite(
        RootResource(switch.resource()),
        clock,
        request_limit=settings.request_limit,
        request_timeout=settings.request_timeout,
        max_connections=settings.max_connections,
    )
    return door


def _families(
    jobs: Jobs, inventory: Inventory, arguments: Arguments, clouds: Clouds, *, streams: Streams, info: Info
) -> dict[str, object]:
    """Who answers which routes, by the names in the table of routes."""
    documents = JobDocuments(jobs.queue_position)
    return {
        "info": info,
        "images": Images(jobs, inventory, arguments),
        "builds": Builds(inventory),
        "target_images": TargetImages(jobs, inventory, documents),
        "provider_images": ProviderImages(jobs, inventory, arguments, documents),
        "builders": Builders(jobs, documents, streams),
        "targets": Targets(clouds),
        "events": Events(jobs, documents, streams),
    }


_OPEN = NoAuthentication()


class Pour(Protocol):
    """Writes a large answer."""

    def __call__(self, request: Request, pieces: Iterator[bytes]) -> Coroutine[Deferred[Any], Any, None]: ...


class Router:
    """Connects each route of the table with the method of a family that answers it."""

    def __init__(
        self,
        families: Mapping[str, object],
        gate: Authenticator,
        origin: ClientAddress,
        metrics: Metrics,
        *,
        large: LargeBodies,
        pour: Pour,
        guard_reads: bool = False,
    ) -> None:
        self._families = families
        self._gate = gate
        self._origin = origin
        self._metrics = metrics
        self._large = large
        self._pour = pour
        self._guard_reads = guard_reads

    def resource(self) -> KleinResource:
        """Everything routed."""
        app = Klein()
        for route in ROUTES:
            self._connect(app, route)
        app.handle_errors(Exception)(cast(Any, self._fail))
        return app.resource()

    def _connect(self, app: Klein, route: Route) -> None:
        family, name = route.handler.split(".")
        answer = self._answering(route, getattr(self._families[family], name))
        pattern = route.path.replace("{", "<").replace("}", ">")
        endpoint = f"{route.method} {route.path}"
        connect = app.route(
            pattern, methods=[route.method], strict_slashes=False, merge_slashes=False, endpoint=endpoint
        )
        connect(cast(Any, answer))

    def _answering(self, route: Route, handler: Handler) -> Callable[..., object]:
        guarded = route.protected or (self._guard_reads and not route.public)
        name = f"{route.method} {route.path}"

        def answer(request: Request, **ids: str) -> object:
            cast(LimitedRequest, request).route = name
            call = Call(request, ids, self._origin)
            gate = self._gate if guarded else _OPEN
            if len(call.body) > SMALL:
                reading = Deferred.fromCoroutine(self._large.read(call, gate, fields=bool(route.request)))
                return reading.addCallback(lambda _: respond(call, request))
            gate.admit(call)
            return respond(call, request)

        def respond(call: Call, request: Request) -> object:
            result = handler(call)
            if isinstance(result, Reply):
                return self._render(result, request, name)
            return Deferred.fromCoroutine(result).addCallback(self._render, request, name)

        return answer

    def _render(self, reply: Reply | None, request: Request, name: str) -> bytes | Deferred[None] | None:
        self._metrics.count(name, request.code if reply is None else reply.status)
        if reply is None:
            return None
        body = reply.render(request)
        return body if isinstance(body, bytes) else Deferred.fromCoroutine(self._pour(request, body))

    def _fail(self, request: Request, failure: Failure) -> object:
        reply = reply_to(failure)
        self._metrics.count(cast(LimitedRequest, request).route or "none", reply.status)
        if request.startedWriting:
            request.loseConnection()
            return None
        return reply.render(request)


class RootResource(Resource):
    """In front of Klein: what it cannot take apart (a host name, a method) is a bad request, not our fault."""

    isLeaf = True

    def __init__(self, inner: Resource) -> None:
        super().__init__()
        self._inner = inner

    def render(self, request: Request) -> bytes | int:
        """Klein answers by itself, later."""
        try:
            request.method.decode("ascii")
            if b"%" in request.path:
                unquote_to_bytes(request.path).decode()
            self._inner.render(request)
        except (HTTPException, UnicodeError):
            return cast(bytes, error_reply(400, "the request's address or method is malformed").render(request))
        return NOT_DONE_YET
