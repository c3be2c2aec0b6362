"""The server factory: twisted.web's HTTP/1.1, with requests that learn what they are before their body comes."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.http.channel import PacedChannel
from imagefactory.lib.secret import Secret
from imagefactory.warehouse.server.application import NOWHERE, Application, Peers
from imagefactory.warehouse.server.download import BLOCK
from imagefactory.warehouse.server.request import WarehouseRequest
from imagefactory.warehouse.server.users import Users
from imagefactory.warehouse.store.local import Store

IDLE = 120
"""Seconds that a client may be silent while it sends a request, or between two."""

RECEIVED = 256 << 10
"""Bytes of a body that are received at once; less comes from a client that is slower than we are."""

_HEADERS = 256 << 10  # attributes may come in headers
_log = Logger()


class WarehouseChannel(PacedChannel):
    """Tells the request its method and path as soon as the headers are complete.

    twisted.web does so only after the body, and answers `Expect: 100-continue` by itself.
    """

    MAX_LENGTH = _HEADERS
    totalHeadersSize = _HEADERS  # noqa: N815

    def allHeadersReceived(self) -> None:
        """Decide on the request."""
        request = self.requests[-1]
        method, target, version = self.head
        self.persistent = self.checkPersistence(request, version)
        request.began(method, target, version, self.length)

    def read_more_at_once(self) -> None:
        """A body comes: a turn of the reactor takes all of it that is there, up to a limit (`bufferSize` of Twisted's
        sockets)."""
        if not self.isSecure():
            self.transport.bufferSize = RECEIVED  # type: ignore[union-attr]

    def write_more_at_once(self) -> None:
        """A body goes out: a block in one turn of the reactor, not in eight (`SEND_LIMIT` of Twisted's sockets)."""
        if not self.isSecure():
            self.transport.SEND_LIMIT = BLOCK  # type: ignore[union-attr]


class WarehouseSite(Site):
    """A warehouse to listen with."""

    noisy = False
    protocol = WarehouseChannel  # type: ignore[assignment]
    requestFactory = WarehouseRequest  # type: ignore[assignment]

    def __init__(self, application: Application, clock: IReactorTime) -> None:
        super().__init__(Resource(), reactor=clock, timeout=IDLE)
        self.application = application

    def acceptableProtocols(self) -> list[bytes]:
        """No HTTP/2: its streams know nothing of bodies that are decided on before they come."""
        return [b"http/1.1"]

    def log(self, request: Request) -> None:
        """One line per request, shown with --verbose; no arguments, no headers: they may hold secrets."""
        names = {
            "method": request.method.decode("latin-1"),
            "path": request.path.decode("latin-1"),
            "status": request.code,
            "sent": request.sentLength,
        }
        _log.info("{client.host} {method} {path} {status} {sent}", client=request.client, **names)


def make_site(
    store: Store,
    threads: Threads,
    clock: IReactorTime,
    users: Mapping[str, Secret] | None = None,
    peers: Peers = NOWHERE,
) -> WarehouseSite:
    """A site that serves `store`.

    With `users` (keys and secrets) every call but `/_health` must be signed by one of them. `peers`: where copies go.
    TLS is the endpoint's matter. When it stops listening, `site.application.close()` drops unfinished uploads.
    """
    known = None if users is None else Users(users, clock.seconds)
    return WarehouseSite(Application(store, threads, clock, known, peers), clock)
