"""How many clients a port has at once: a bounded number, so that they never take all descriptors of the process."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.event import Event

LINGER_SECONDS = 1.0
"""Seconds that a client which is not served has to read why."""


class ConnectionLimit:
    """The connections of one port, at most so many; `words` are the reply to one more."""

    def __init__(self, clock: IReactorTime, most: int, words: bytes) -> None:
        self._clock = clock
        self._most = most
        self._words = words
        self._channels: set[Protocol] = set()
        self._empty: Event[None] | None = None

    def __len__(self) -> int:
        return len(self._channels)

    def turned_away(self) -> Protocol | None:
        """Who talks to a new client in place of a server; None: it can be served."""
        return _TurnedAway(self._clock, self._words) if len(self) >= self._most else None

    def came(self, channel: Protocol) -> None:
        """A connection is open."""
        self._channels.add(channel)

    def went(self, channel: Protocol) -> None:
        """It is closed."""
        self._channels.discard(channel)
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
