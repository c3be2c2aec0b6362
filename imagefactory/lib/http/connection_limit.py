"""How many clients a port has at once: a bounded number, so that they never take all descriptors of the process.

One address never has all of them, and programs on this host find a place when others have taken the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_network
from typing import cast

from twisted.internet.interfaces import IAddress, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.http.peer import peer_address

LINGER_SECONDS = 1.0
"""Seconds that a client which is not served has to read why."""


RESERVE = 1 / 20
"""Of all connections, so many are for loopback only."""
LOOPBACK = ""
"""What all addresses of the loopback count as."""


class ConnectionLimit:
    """The connections of one port.

    Args:
        most: how many there may be; the reserve for loopback is among them.
        words: the reply to one more.
        each: how many one address may have (None: any number); loopback and `exempt` networks may have any.
    """

    def __init__(
        self, clock: IReactorTime, most: int, words: bytes, *, each: int | None = None, exempt: Iterable[str] = ()
    ) -> None:
        self._clock = clock
        self._most = most
        self._for_others = most - int(most * RESERVE)
        self._words = words
        self._each = most if each is None else each
        self._exempt = tuple(ip_network(text, strict=False) for text in exempt)
        self._channels: dict[Protocol, str] = {}
        self._of: Counter[str] = Counter()
        self._empty: Event[None] | None = None

    def __len__(self) -> int:
        return len(self._channels)

    def turned_away(self, address: IAddress | None = None) -> Protocol | None:
        """Who talks to a new client of this address in place of a server; None: it can be served."""
        return None if self._has_room(address) else _TurnedAway(self._clock, self._words)

    def _has_room(self, address: IAddress | None) -> bool:
        source = _source(address)
        if source == LOOPBACK:
            return len(self) < self._most
        others = len(self) - self._of[LOOPBACK]
        if len(self) >= self._most or others >= self._for_others:
            return False
        return self._of[source] < self._each or self._is_exempt(address)

    def _is_exempt(self, address: IAddress | None) -> bool:
        client = peer_address(address)
        return any(client in network for network in self._exempt if client is not None)

    def came(self, channel: Protocol) -> None:
        """A connection is open."""
        source = _source(cast(ITCPTransport, channel.transport).getPeer())
        self._channels[channel] = source
        self._of[source] += 1

    def went(self, channel: Protocol) -> None:
        """It is closed."""
        source = self._channels.pop(channel, None)
        if source is not None:
            self._of[source] -= 1
            if not self._of[source]:
                del self._of[source]
        if self._empty is not None and not self._channels and not self._empty.fired:
            self._empty.fire(None)

    async def close(self) -> None:
        """End all connections, streams and requests alike; done when the last one is gone.

        Stop listening first.
        """
        self._empty = Event()
        for channel in list(self._channels):
            cast(ITCPTransport, channel.transport).abortConnection()
        if self._channels:
            await self._empty.wait()


def _source(address: IAddress | None) -> str:
    """Returns what connections of an address are counted under; of IPv6 a host has a network of 64 bits."""
    client = peer_address(address)
    if client is None or client.is_loopback:  # without an address it is a socket of this host
        return LOOPBACK
    return str(ip_network((client, 64), strict=False)) if isinstance(client, IPv6Address) else str(client)


class _TurnedAway(Protocol):
    """A connection too many: told so, and closed."""

    def __init__(self, clock: IReactorTime, words: bytes) -> None:
        self._clock = clock
        self._words = words

    def connectionMade(self) -> None:
        """Say it, and do not wait for a client that does not listen."""
        transport = cast(ITCPTransport, self.transport)
        transport.write(self._words)
        self._abort = self._clock.callLater(LINGER_SECONDS, transport.abortConnection)
        transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - Twisted's signature
        """It is gone."""
        if self._abort.active():
            self._abort.cancel()
