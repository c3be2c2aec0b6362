"""From a request to the handler of its route, and from what the handler returns to a response.

Importing this module imports Klein, which installs Twisted's default reactor: import it where a reactor is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.http import UNAUTHORIZED
from twisted.web.resource import Resource
from twisted.web.server import Request

from imagefactory.lib.concurrency.immediate import result_or_deferred
from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.rest.authentication import Authenticator
from imagefactory.rest.call import RestCall
from imagefactory.rest.client_address import ClientAddress
from imagefactory.rest.detached_work import outlast_client
from imagefactory.rest.large_bodies import SMALL, LargeBodies
from imagefactory.rest.limits import LimitedRequest
from imagefactory.rest.metrics import RestMetrics
from imagefactory.rest.reply import RestReply
from imagefactory.rest.request_source import RequestSource
from imagefactory.rest.route_table import Handled, Response, Route, RouteTable

S = TypeVar("S")


class WritePieces(Protocol):
    """Writes a large body at the pace of its client."""

    def __call__(self, request: Request, pieces: Iterator[bytes]) -> Coroutine[Deferred[Any], Any, None]: ...


@dataclass(frozen=True, slots=True)
class RouterContext:
    """What all routers of a site share.

    `guards` says whether a route demands authentication; what does not is checked by `source` (None: by nothing).
    `tasks` owns what goes on when its client has hung up.
    """

    authenticator: Authenticator
    guards: Callable[[Route[Any]], bool]
    source: RequestSource | None
    address: ClientAddress
    metrics: RestMetrics
    large_bodies: LargeBodies
    write: WritePieces
    tasks: TaskSet


class Router(Generic[S]):
    """Connects each route of a table with its handler.

    The handler of a route that writes runs as a task of the site (see `detached_work`).
    """

    def __init__(self, table: RouteTable[S], services: S, context: RouterContext) -> None:
        self._table = table
        self._services = services
        self._context = context

    def resource(self) -> Resource:
        """Returns the resource to mount."""
        app = Klein()
        for route in self._table.routes:
            self._connect(app, route)
        app.handle_errors(Exception)(cast(Any, self._fail))
        return _WholePath(app.resource())

    def _connect(self, app: Klein, route: Route[S]) -> None:
        pattern = route.path.replace("{", "<").replace("}", ">")
        connect = app.route(
            pattern, methods=[route.method], strict_slashes=False, merge_slashes=False, endpoint=route.name
        )
        connect(cast(Any, self._endpoint(route)))

    def _endpoint(self, route: Route[S]) -> Callable[..., object]:
        """Returns what Klein calls.

        A request that need not wait is answered within the call: most are polls, and a Deferred costs more than their
        handlers.
        """
        guarded = self._context.guards(route)
        source = None if guarded else self._context.source

        def respond(request: Request, **ids: str) -> object:
            cast(LimitedRequest, request).route = route.name
            if source is not None:
                source.check(request)
            call = RestCall(request, ids, self._context.address, self._table.bodies)
            if guarded or route.writes or len(call.body) > SMALL:
                result: Handled = self._prepare_and_handle(route, call, guarded=guarded)
            else:
                result = route.handler(self._services, call)
            reply = result if isinstance(result, RestReply) else result_or_deferred(result)
            if isinstance(reply, Deferred):
                return reply.addCallback(self._render, request, route)
            return self._render(reply, request, route)

        return respond

    async def _prepare_and_handle(self, route: Route[S], call: RestCall, *, guarded: bool) -> Response:
        context = self._context
        if len(call.body) > SMALL:
            scheme = context.authenticator.parse(call) if guarded else None
            await context.large_bodies.read(call, scheme, fields=bool(route.request))
        elif guarded:
            await context.authenticator.authenticate(call)
        if route.writes:
            return await outlast_client(context.tasks, self._handle(route, call))
        return await self._handle(route, call)

    async def _handle(self, route: Route[S], call: RestCall) -> Response:
        result = route.handler(self._services, call)
        return result if isinstance(result, RestReply) else await result

    def _render(self, reply: Response, request: Request, route: Route[S]) -> bytes | Deferred[None] | None:
        self._context.metrics.count(route.name, request.code if reply is None else reply.status)
        return None if reply is None else self._written(reply, request)

    def _written(self, reply: RestReply, request: Request) -> bytes | Deferred[None]:
        body = reply.render(request)
        return body if isinstance(body, bytes) else Deferred.fromCoroutine(self._context.write(request, body))

    def _fail(self, request: Request, failure: Failure) -> object:
        reply = self._table.errors.reply_to(failure)
        self._context.metrics.count(cast(LimitedRequest, request).route or "none", reply.status)
        if request.startedWriting:
            request.loseConnection()
            return None
        if reply.status == UNAUTHORIZED:
            reply.headers = (*reply.headers, (b"WWW-Authenticate", self._context.authenticator.challenges))
        return self._written(reply, request)


class _WholePath(Resource):
    """Routes by the whole path, wherever a table is mounted: its paths are whole."""

    isLeaf = True

    def __init__(self, routes: Resource) -> None:
        super().__init__()
        self._routes = routes

    def render(self, request: Request) -> int:
        """See Resource."""
        request.prepath, request.postpath = [], [*(request.prepath or ()), *(request.postpath or ())]
        return cast(int, self._routes.render(request))
