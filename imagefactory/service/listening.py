"""Listening sockets: bound before a daemon forks, so that a port in use is reported on the terminal; served after it
has started."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorSocket

from imagefactory.lib.errors import FactoryError

BACKLOG = 511


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """A socket on which connections wait until they are served."""

    socket: socket.socket

    @property
    def address(self) -> tuple[str, int]:
        """Returns host and port; the real port where 0 was asked for."""
        host, port = self.socket.getsockname()[:2]
        return str(host), int(port)

    def serve(self, reactor: IReactorSocket, factory: IProtocolFactory) -> IListeningPort:
        """Answer connections with `factory` from now on."""
        port = reactor.adoptStreamPort(self.socket.fileno(), self.socket.family, factory)  # type: ignore[arg-type]
        self.socket.close()
        return port

    def close(self) -> None:
        """Close it without serving it."""
        self.socket.close()


def bind(address: str, port: int, option: str) -> BoundSocket:
    """Returns a listening socket.

    Args:
        option: the setting, for the hint.

    Raises:
        FactoryError: the address or port cannot be used.
    """
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot(address, port, option, error) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(where)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _cannot(address, port, option, error) from None
    return BoundSocket(bound)


def _cannot(address: str, port: int, option: str, error: OSError) -> FactoryError:
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    return FactoryError(
        f"cannot listen: {reason}",
        where=f"{address} port {port}",
        hint=f"stop what listens there, or choose another address or port with {option}",
    )
