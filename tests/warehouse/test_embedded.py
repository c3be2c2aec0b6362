"""The embedded store, held to the contract of warehouses."""

from twisted.trial.unittest import TestCase

from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.warehouse import WarehouseContract
from imagefactory.warehouse.store import EmbeddedWarehouse, open_store
from tests.warehouse.places import fresh_directory


class EmbeddedContractTests(WarehouseContract, TestCase):
    """The contract, in-process."""

    async def make(self) -> EmbeddedWarehouse:
        """A store in a fresh directory."""
        store = open_store(fresh_directory(self) / "warehouse")
        self.addCleanup(store.close)
        return EmbeddedWarehouse(store, ImmediateThreads())
