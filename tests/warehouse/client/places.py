"""What the client's tests talk to."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar
from unittest import TestCase

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import Clock

from imagefactory.lib.secret import Secret
from imagefactory.testing.memory_net import MemoryNet
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.client.connect import WarehouseAddress, make_exchange
from imagefactory.warehouse.client.remote import RemoteWarehouse
from imagefactory.warehouse.server.site import WarehouseSite, make_site
from imagefactory.warehouse.store.embedded import open_store
from tests.warehouse.places import fresh_directory

URL = "http://warehouse.example:9090/"
T = TypeVar("T")


def our_site(case: TestCase, clock: Any, users: Mapping[str, Secret] | None = None) -> WarehouseSite:
    """Our server over an empty store."""
    store = open_store(fresh_directory(case) / "warehouse", clock.seconds)
    case.addCleanup(store.close)
    return make_site(store, ImmediateThreads(), clock, users)


class World:
    """A client, a server, a network and a clock that only moves when it is told to."""

    def __init__(self, server: IProtocolFactory | None, clock: Clock, **place: Any) -> None:
        self.clock = clock
        self.net = MemoryNet(clock, server)
        self.exchange = make_exchange(WarehouseAddress(URL, **place), self.net.agent(), clock, ImmediateThreads())
        self.warehouse = RemoteWarehouse(self.exchange)

    def begin(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Start it, and let the network carry what there is."""
        running = Deferred.fromCoroutine(work)
        self.settle()
        return running

    def settle(self) -> None:
        """Let everything happen that needs no time."""
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)

    def advance(self, seconds: float, step: float = 0.25) -> None:
        """Let time pass."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            self.settle()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it to the end, without any time passing; raises what it raises."""
        outcome: list[Any] = []
        running = self.begin(work)
        running.addBoth(outcome.append)
        if not outcome:
            running.cancel()
            raise AssertionError("it waits for something")
        if hasattr(outcome[0], "raiseException"):
            outcome[0].raiseException()
        result: T = outcome[0]
        return result


def new_clock() -> Clock:
    """A clock that does not show 0."""
    clock = Clock()
    clock.advance(1_800_000_000)
    return clock
