"""A server that is all right, over connections that are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.testing.bad_server import reply

_LENGTH = re.compile(rb"(?i)content-length: (\d+)")
_PIECES = 7
Flaw = Callable[["Flawed", Protocol, Any], None]


def dropped(_: Flawed, protocol: Protocol, transport: Any) -> None:
    """The connection breaks before the server sees the request."""
    protocol.dataReceived = lambda data: transport.abortConnection()  # type: ignore[method-assign]


def lost(flawed: Flawed, _: Protocol, transport: Any) -> None:
    """The request is done; the connection breaks with the reply."""
    transport.write = lambda data: flawed.clock.callLater(0, transport.abortConnection)


def failing(_: Flawed, protocol: Protocol, transport: Any) -> None:
    """Something in front of the server answers 500; the server never sees the request."""

    def refuse(data: bytes) -> None:
        protocol.dataReceived = _ignore  # type: ignore[method-assign]
        transport.write(reply(500, Connection="close"))
        transport.loseConnection()

    protocol.dataReceived = refuse  # type: ignore[method-assign]


def _ignore(data: bytes) -> None:
    pass


def garbage(_: Flawed, __: Protocol, transport: Any) -> None:
    """The request is done; the reply is something else."""
    write = transport.write

    def send(data: bytes) -> None:
        write(b"\x00\xff" + data[::-1])
        transport.loseConnection()

    transport.write = send


def short(flawed: Flawed, _: Protocol, transport: Any) -> None:
    """The request is done; the reply says that it is longer than it is."""
    write = transport.write

    def send(data: bytes) -> None:
        write(_LENGTH.sub(lambda found: b"Content-Length: %d" % (int(found[1]) + 3), data))
        flawed.clock.callLater(1, transport.loseConnection)

    transport.write = send


def trickling(flawed: Flawed, _: Protocol, transport: Any) -> None:
    """The reply comes slowly, with pauses."""
    write, close, waiting = transport.write, transport.loseConnection, bytearray()

    def send(data: bytes) -> None:
        if not waiting:
            flawed.clock.callLater(5, trickle)
        waiting.extend(data)

    def trickle() -> None:
        size = max(64, len(waiting) // _PIECES)
        piece = bytes(waiting[:size])
        del waiting[:size]
        write(piece)
        if waiting:
            flawed.clock.callLater(5, trickle)
        elif transport.closing:
            close()

    def end() -> None:
        transport.closing = True
        if not waiting:
            close()

    transport.closing = False
    transport.write, transport.loseConnection = send, end


FLAWS: tuple[Flaw, ...] = (dropped, failing, lost, trickling, garbage, short)


class Flawed(Factory):
    """`real`, with a flaw in every connection whose number can be divided by `every`, another one each time."""

    noisy = False

    def __init__(self, real: IProtocolFactory, clock: Clock, every: int, flaws: tuple[Flaw, ...] = FLAWS) -> None:
        self.real = real
        self.clock = clock
        self.met: set[str] = set()
        self._every = every
        self._flaws = cycle(flaws)
        self._count = 0

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        assert addr is not None
        protocol: Any = self.real.buildProtocol(addr)
        self._count += 1
        if self._count % self._every == 0:
            flaw = next(self._flaws)
            self.met.add(flaw.__name__)
            connect = protocol.makeConnection

            def connected(transport: Any) -> None:
                flaw(self, protocol, transport)
                connect(transport)

            protocol.makeConnection = connected
        made: Protocol = protocol
        return made
