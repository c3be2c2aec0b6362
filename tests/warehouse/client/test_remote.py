"""The client against our server, held to the contract of warehouses; no sockets.

Once over connections that are all right, and with flaws in every second or third of them.
"""

from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from imagefactory.model.report import Silence, report_to
from imagefactory.testing.flaws import FLAWS, Flawed
from imagefactory.testing.memory_net import MemoryNet
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.warehouse import WarehouseContract
from imagefactory.warehouse.client.connect import WarehouseAddress, make_exchange
from imagefactory.warehouse.client.remote import RemoteWarehouse
from tests.warehouse.client.places import URL, new_clock, our_site


class RemoteContractTests(WarehouseContract, TestCase):
    """The contract, over HTTP in memory."""

    async def make(self) -> RemoteWarehouse:
        """A client of a fresh server."""
        clock: Any = reactor
        net = MemoryNet(clock, our_site(self, clock))
        agent = net.agent(persistent=False)
        return RemoteWarehouse(make_exchange(WarehouseAddress(URL, wait=0), agent, clock, ImmediateThreads()))


class FlawedContract(WarehouseContract):
    """The contract over bad connections, on a clock that is turned as fast as the reactor goes round."""

    every: int
    server: Flawed

    async def make(self) -> RemoteWarehouse:
        """A client of a fresh server."""
        report_to(Silence())  # as a job: others are not patient enough
        clock = new_clock()
        self.server = Flawed(our_site(self, clock), clock, self.every)
        agent = MemoryNet(clock, self.server).agent(persistent=False)
        self.turning = True
        self.addCleanup(setattr, self, "turning", False)
        self.turn(clock)
        return RemoteWarehouse(make_exchange(WarehouseAddress(URL, wait=600), agent, clock, ImmediateThreads()))

    async def test_absent_things(self) -> None:
        """What is not there reads as None; whether a delete found anything is unknown when its reply was lost."""
        warehouse = await self.with_bucket()
        self.assertIsNone(await warehouse.attributes("b", "no"))
        self.assertIsNone(await warehouse.body("b", "no"))
        self.assertIsNone(await warehouse.local("b", "no", self.workspace()))
        await warehouse.delete("b", "no")

    async def test_flaws(self) -> None:
        """All flaws are met, and what is stored is right all the same."""
        warehouse = await self.with_bucket()
        for number in range(40):
            body = bytes([number]) * 3000
            await warehouse.put("b", f"k{number:02}", body, {"number": f"n{number}"})
            self.assertEqual(await warehouse.body("b", f"k{number:02}"), body)
            self.assertEqual(await warehouse.query("b", f'$number == "n{number}"'), [f"k{number:02}"])
        self.assertEqual(self.server.met, {flaw.__name__ for flaw in FLAWS})
        for number in range(40):
            self.assertTrue(await warehouse.delete("b", f"k{number:02}"))
        self.assertEqual(await warehouse.keys("b"), [])

    def turn(self, clock: Clock) -> None:
        """Let time pass while the test runs."""
        if self.turning:
            times = [call.getTime() for call in clock.getDelayedCalls()]
            clock.advance(max(0.0, min(times, default=clock.seconds()) - clock.seconds()))
            real: Any = reactor
            self.call = real.callLater(0, self.turn, clock)
            self.addCleanup(lambda call=self.call: call.active() and call.cancel())


class SecondFlawedContractTests(FlawedContract, TestCase):
    """Every second connection."""

    every = 2


class ThirdFlawedContractTests(FlawedContract, TestCase):
    """Every third connection."""

    every = 3
