"""The site with a bounded number of clients: what a daemon listens with."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from imagefactory.lib.http.connection_limit import ConnectionLimit
from imagefactory.warehouse.server.application import Application
from imagefactory.warehouse.server.site import WarehouseChannel, WarehouseSite

#: As all errors without a body.
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


class _Counted(WarehouseChannel):
    """One of the crowd."""

    site: LimitedWarehouseSite

    def connectionMade(self) -> None:
        """A client is at the door."""
        super().connectionMade()
        self.site.connection_limit.came(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone."""
        super().connectionLost(reason)
        self.site.connection_limit.went(self)


class LimitedWarehouseSite(WarehouseSite):
    """At most `most` connections, of one address `each` (None: as many); others are told to come back."""

    protocol = _Counted

    def __init__(self, application: Application, clock: IReactorTime, most: int, each: int | None = None) -> None:
        super().__init__(application, clock)
        self.connection_limit = ConnectionLimit(clock, most, _TOO_MANY, each=each)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # type: ignore[override]
        """A channel, or none if there are too many."""
        channel: Protocol = self.connection_limit.turned_away(addr) or super().buildProtocol(addr)
        return channel
