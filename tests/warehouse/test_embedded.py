"""The embedded store, held to the contract of warehouses."""

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import TestCase

from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.warehouse import WarehouseContract
from imagefactory.warehouse.store import EmbeddedWarehouse, open_store


class EmbeddedContractTests(WarehouseContract, TestCase):
    """The contract, in-process."""

    async def make(self) -> EmbeddedWarehouse:
        """A store in a fresh directory."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        store = open_store(Path(directory.name) / "warehouse")
        self.addCleanup(store.close)
        return EmbeddedWarehouse(store, ImmediateThreads())
