"""Host names to addresses: getaddrinfo(3), in threads of its own and for a limited time."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.logger import Logger
from zope.interface import implementer

from imagefactory.lib.concurrency.clock import sleep
from imagefactory.lib.concurrency.event import Event, either
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.lib.errors import FactoryError

THREADS = 8
SECONDS = 20.0
"""For one name; a resolver that asks three silent servers twice (resolv.conf(5)) gives up after 30."""
STOPPING = 2.0
"""Seconds that look-ups have to end by themselves when the resolver stops: none can be interrupted."""

GetAddressInfo = Callable[..., Sequence[tuple[Any, ...]]]
_FAMILIES = {IPv4Address: socket.AF_INET, IPv6Address: socket.AF_INET6}


@implementer(IHostResolution)
class _Resolution:
    """What Twisted knows a look-up by."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """See `IHostResolution`; as with Twisted's own resolver, a look-up goes on to its end."""
        raise NotImplementedError("a look-up of a name cannot be cancelled")


@implementer(IHostnameResolver)
class TwistedResolver:
    """Lets Twisted's endpoints resolve names by a coroutine function; `tasks` owns what is going on."""

    _log = Logger()

    def __init__(self, resolve: Callable[[str, int], Awaitable[Sequence[str]]], tasks: TaskSet) -> None:
        self._resolve = resolve
        self._tasks = tasks

    def resolveHostName(  # noqa: N802
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[Any]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """See `IHostnameResolver`."""
        resolution: IHostResolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        transport: Literal["TCP", "UDP"] = "UDP" if transportSemantics == "UDP" else "TCP"
        kinds = addressTypes or tuple(_FAMILIES)
        family = _FAMILIES[kinds[0]] if len(kinds) == 1 else socket.AF_UNSPEC

        async def deliver() -> None:
            try:
                for address in await self._resolve_or_log(hostName, family):
                    kind = IPv6Address if ":" in address else IPv4Address
                    resolutionReceiver.addressResolved(kind(transport, address, portNumber))
            finally:
                resolutionReceiver.resolutionComplete()

        self._tasks.add(deliver())
        return resolution

    async def _resolve_or_log(self, host: str, family: int) -> Sequence[str]:
        """Twisted knows no failure here, only that there was no address."""
        try:
            return await self._resolve(host, family)
        except (OSError, FactoryError) as error:
            self._log.info("{name} cannot be resolved: {error}", name=host, error=error)
            return ()


class NameResolver:
    """Resolves names for the whole process between `start()` and `stop()`, whatever else its threads do.

    Slow look-ups delay only each other, and each is given up after `seconds`: users choose names, and may choose ones
    whose servers never answer.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, *, seconds: float = SECONDS, getaddrinfo: GetAddressInfo = socket.getaddrinfo
    ) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._getaddrinfo = getaddrinfo
        self._threads = PoolThreads(reactor, THREADS, "names", abandoned=True)
        self._tasks = TaskSet("name resolution")
        self._stopped: Event[None] = Event()
        self._before: IHostnameResolver | None = None

    def start(self) -> None:
        """Resolve from now on what this reactor connects to, too."""
        self._threads.start()
        self._before = self._reactor.installNameResolver(TwistedResolver(self.resolve, self._tasks))

    async def stop(self) -> None:
        """Resolve no more; look-ups that do not end in `STOPPING` seconds are left to end with the process."""
        if self._before is not None:
            self._reactor.installNameResolver(self._before)
        if not self._stopped.fired:
            self._stopped.fire(None)
        await self._tasks.close()
        stopping = Task(self._threads.stop())
        late = Task(sleep(self._reactor, STOPPING))
        try:
            await either(stopping.ended, late.ended)
        finally:
            late.cancel()
        if not stopping.ended.fired:
            self._log.info("names are still being looked up; nothing waits for them")

    async def resolve(self, host: str, family: int = socket.AF_UNSPEC) -> Sequence[str]:
        """Returns the addresses of `host`, in the system's order of preference.

        Raises:
            OSError: it has none, or they could not be found out in time.
        """
        asking = Task(self._threads.run(self._ask, host, family))
        late = Task(sleep(self._reactor, self._seconds))
        try:
            await either(asking.ended, late.ended, self._stopped)
        finally:
            late.cancel()
        if self._stopped.fired:
            raise OSError("name resolution is stopping")
        if not asking.ended.fired:
            raise TimeoutError(f"no answer in {self._seconds:g} seconds")
        return await asking

    def _ask(self, host: str, family: int) -> Sequence[str]:
        try:
            found = self._getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
        except UnicodeError as error:  # what cannot be the name of a host in the DNS
            raise OSError(str(error)) from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))
