"""The client against an iwhd as it was."""

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from imagefactory.lib.errors import Forbidden, InvalidInput, Unsupported
from imagefactory.testing.iwhd import FakeIwhd, iwhd_site
from imagefactory.testing.memory_net import MemoryNet
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.warehouse import SPECIAL, WarehouseContract
from imagefactory.warehouse.client.connect import WarehouseAddress, make_exchange
from imagefactory.warehouse.client.remote import RemoteWarehouse
from tests.warehouse.client.places import URL, World, new_clock


class IwhdContractTests(WarehouseContract, TestCase):
    """The contract, as far as iwhd can keep it."""

    async def make(self) -> RemoteWarehouse:
        """A client of an empty iwhd."""
        clock: Any = reactor
        net = MemoryNet(clock, iwhd_site(FakeIwhd(), clock))
        agent = net.agent(persistent=False)
        return RemoteWarehouse(make_exchange(WarehouseAddress(URL, wait=0), agent, clock, ImmediateThreads()))

    async def test_special_names(self) -> None:
        """Names may hold what iwhd, which escapes nothing in its lists, can write down."""
        warehouse = await self.make()
        for name in SPECIAL:
            if set(name) & set("<&>\"'\\"):
                continue
            await warehouse.create_bucket(name)
            await warehouse.put(name, name, name.encode(), {name: name})
            self.assertEqual(await warehouse.keys(name), [name])
            self.assertEqual(await warehouse.body(name, name), name.encode())
            self.assertEqual(await warehouse.attributes(name, name), {name: name})


class OrderTests(SynchronousTestCase):
    """What is asked of an iwhd, and in which order."""

    def setUp(self) -> None:
        clock = new_clock()
        self.iwhd = FakeIwhd()
        self.world = World(iwhd_site(self.iwhd, clock), clock)
        self.world.run(self.world.warehouse.create_bucket("b"))
        self.iwhd.asked.clear()

    def test_body_first_selectors_last(self) -> None:
        """An object that is only half stored has none of the attributes that queries select on."""
        attributes = {"target_image": "t", "build": "x", "uuid": "k", "target": "mock", "icicle": "i"}
        self.world.run(self.world.warehouse.put("b", "k", b"body", attributes))
        order = [line.rpartition("/")[2] for line in self.iwhd.asked]
        self.assertEqual(order, ["k", "uuid", "icicle", "target", "build", "target_image"])

    def test_it_is_recognised_once(self) -> None:
        """What kind of warehouse it is is seen from its replies, not asked each time."""
        for _ in range(3):
            self.world.run(self.world.warehouse.attributes("b", "k"))
        self.assertEqual(self.iwhd.asked, ["GET /b/k/_attrs"] * 3)

    def test_removed_attribute(self) -> None:
        """A removed attribute is the text `none` to iwhd's other clients; one that never was is not written."""
        self.world.run(self.world.warehouse.put("b", "k", b"", {"a": "1"}))
        self.world.run(self.world.warehouse.set_attributes("b", "k", {"a": None, "z": None}))
        self.assertEqual(self.iwhd.objects["b"]["k"].attributes, {"a": "none"})
        self.assertEqual(self.world.run(self.world.warehouse.attributes("b", "k")), {})

    def test_queries_that_iwhd_takes_for_everything(self) -> None:
        """What iwhd cannot read never reaches it: it would answer with all objects, or die."""
        self.world.run(self.world.warehouse.put("b", "k", b"", {"n": "1"}))
        self.iwhd.asked.clear()
        for query, error in (("$Upper == 1", Unsupported), ("#name", Unsupported), ("$n = 1", InvalidInput)):
            with self.assertRaises(error):
                self.world.run(self.world.warehouse.query("b", query))
        self.assertEqual(self.iwhd.asked, [])


class SlaveTests(SynchronousTestCase):
    """An iwhd that has copies of what another one has."""

    def setUp(self) -> None:
        self.clock = new_clock()
        self.iwhd = FakeIwhd()
        self.world = World(iwhd_site(self.iwhd, self.clock), self.clock)

    def warehouse(self, *, master: bool) -> RemoteWarehouse:
        """A client."""
        made = make_exchange(WarehouseAddress(URL), self.world.net.agent(), self.clock, ImmediateThreads())
        return RemoteWarehouse(made, master=master)

    def test_its_master(self) -> None:
        """Says who it is, once it was told to; one that is no slave would refuse that."""
        master = self.warehouse(master=True)
        self.world.run(master.create_bucket("b"))
        for slave, tries in ((False, 1), (True, 2), (True, 1), (False, 2)):
            self.iwhd.slave = slave
            self.iwhd.asked.clear()
            self.world.run(master.put("b", "k", b"body", {"a": "1"}))
            self.assertEqual(self.iwhd.asked, ["PUT /b/k"] * tries + ["PUT /b/k/a"])
        self.assertEqual(self.iwhd.objects["b"]["k"].body, b"body")

    def test_others(self) -> None:
        """A client is refused, and does not pretend to be what it is not."""
        self.iwhd.slave = True
        other = self.warehouse(master=False)
        self.world.run(other.create_bucket("b"))
        with self.assertRaises(Forbidden):
            self.world.run(other.put("b", "k", b"body", {}))
        self.assertEqual(self.iwhd.asked[-1:], ["PUT /b/k"])
