"""Sites of small route tables, without the API."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.errors import Unauthorized
from imagefactory.rest.authentication import Authenticator, Scheme
from imagefactory.rest.call import BodyFormat, RestCall
from imagefactory.rest.client_address import ClientAddress
from imagefactory.rest.errors import ErrorReplies
from imagefactory.rest.large_bodies import LargeBodies
from imagefactory.rest.limits import LimitedSite
from imagefactory.rest.metrics import RestMetrics
from imagefactory.rest.mounts import Mounts
from imagefactory.rest.route_table import Route, RouteTable
from imagefactory.rest.router import Router, RouterContext
from imagefactory.rest.stream import write_pieces
from imagefactory.testing.rest import FakeJobs
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.wire import Wire


def problem(error: str, hint: str, incident: str) -> Mapping[str, object]:
    """An error document that is not that of version 1.0."""
    return {"problem": error, "do": hint, "incident": incident}


def words(body: bytes, content_type: str) -> Mapping[str, Any]:
    """Bodies as no other version reads them."""
    return {"type": content_type, "words": body.decode().split()}


ERRORS = ErrorReplies(problem, "/v2/routes")
BODIES = BodyFormat(words, lambda body, content_type: [])


def table(*routes: Route[Any], prefix: str = "/v2") -> RouteTable[Any]:
    """A second version of an API."""
    return RouteTable(prefix, routes, ERRORS, "2.0", BODIES)


class TokenScheme:
    """Accepts `Authorization: Token good`, once for each number after it; notes what it was asked."""

    challenge = b'Token realm="tests"'

    def __init__(self, name: str = "Token", *, largest: int = 1 << 20) -> None:
        self.name = name
        self.steps: list[str] = []
        self._used: set[str] = set()
        self._largest = largest

    def parse(self, call: RestCall) -> bool:
        header = call.request.getHeader(b"authorization") or b""
        return header.startswith(self.name.encode() + b" ")

    def verify(self, call: RestCall) -> str:
        self.steps.append("verify")
        token = (call.request.getHeader(b"authorization") or b"").decode().split()[1:]
        if token[:1] != ["good"] or len(call.body) > self._largest:
            raise Unauthorized(f"{self.name}: not good")
        return " ".join(token)

    async def commit(self, proof: str) -> None:
        self.steps.append("commit")
        if proof in self._used:
            raise Unauthorized(f"{self.name}: used before")
        self._used.add(proof)

    def client(self, proof: str) -> str:
        return proof

    def missing(self) -> Unauthorized:
        return Unauthorized(f"{self.name}: missing")


class TableTestCase(SynchronousTestCase):
    """Serves what a test mounts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.tasks = TaskSet("the test")
        self.metrics = RestMetrics(FakeJobs(), lambda: 0, lambda: 0)
        self.schemes: Sequence[Scheme[Any]] = [TokenScheme()]
        self.guards: Callable[[Route[Any]], bool] = lambda route: route.protected

    def mount(self, *tables: RouteTable[Any], services: object = None, **resources: Resource) -> None:
        """Serve these tables, and further resources (`web` is mounted at /web)."""
        context = RouterContext(
            authenticator=Authenticator(self.schemes),
            guards=self.guards,
            source=None,
            address=ClientAddress(),
            metrics=self.metrics,
            large_bodies=LargeBodies(ImmediateThreads()),
            write=partial(write_pieces, clock=self.clock, timeout=60),
            tasks=self.tasks,
        )
        mounted = {each.prefix: Router(each, services, context).resource() for each in tables}
        self.serve({**mounted, **{f"/{name}": resource for name, resource in resources.items()}})

    def serve(self, resources: Mapping[str, Resource]) -> None:
        """Serve resources by prefix."""
        self.site = LimitedSite(
            Mounts(resources, ERRORS),
            self.clock,
            request_limit=1 << 20,
            request_timeout=60,
            max_connections=10,
            errors=ERRORS,
            tasks=self.tasks,
        )
        self.wire = Wire(self.site, clock=self.clock)
