"""The client against our server, held to the contract of warehouses; no sockets."""

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from imagefactory.testing.memory_net import MemoryNet
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.warehouse import WarehouseContract
from imagefactory.warehouse.client.connect import Place, make_exchange
from imagefactory.warehouse.client.remote import RemoteWarehouse
from tests.warehouse.client.places import URL, our_site


class RemoteContractTests(WarehouseContract, TestCase):
    """The contract, over HTTP in memory."""

    async def make(self) -> RemoteWarehouse:
        """A client of a fresh server."""
        clock: Any = reactor
        net = MemoryNet(clock, our_site(self, clock))
        agent = net.agent(persistent=False)
        return RemoteWarehouse(make_exchange(Place(URL, wait=0), agent, clock, ImmediateThreads()))
