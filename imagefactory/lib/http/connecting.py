"""Connecting to one of several addresses that are known already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver, IStreamClientEndpoint
from zope.interface import implementer

from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.http.names import TwistedResolver

Connect = Callable[[Sequence[str], int], IStreamClientEndpoint]
"""An endpoint for a port at any one of several addresses."""


@implementer(IReactorPluggableNameResolver)
class _ResolvedReactor:
    """The part of a reactor that connects, with the addresses of the one host known already."""

    def __init__(self, reactor: Any, addresses: Sequence[str]) -> None:
        async def resolve(_host: str, _family: int) -> Sequence[str]:
            return addresses

        self.nameResolver: IHostnameResolver = TwistedResolver(resolve, TaskSet("a connection"))
        self.connectTCP = reactor.connectTCP
        self.callLater = reactor.callLater
        self.seconds = reactor.seconds

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: N802
        """See `IReactorPluggableNameResolver`."""
        before, self.nameResolver = self.nameResolver, resolver
        return before


def first_of(reactor: Any, seconds: float) -> Connect:
    """Returns what connects to the first of several addresses that answers.

    A further one is tried every 0.3 seconds (RFC 8305), so that one that is silent takes none of the others' time.

    Args:
        seconds: that each address has.
    """

    def connect(addresses: Sequence[str], port: int) -> IStreamClientEndpoint:
        return HostnameEndpoint(_ResolvedReactor(reactor, addresses), "resolved.invalid", port, timeout=seconds)

    return connect
