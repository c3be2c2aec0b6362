"""Ledgers of resources."""

from pathlib import Path

from twisted.trial.unittest import TestCase

from imagefactory.jobs.store.resources import SqliteLedger, open_ledger
from imagefactory.push.ledger import ResourceLedger
from imagefactory.testing.ledger import LedgerFile, MemoryLedger, ResourceLedgerContract
from imagefactory.testing.threads import ImmediateThreads


class MemoryLedgerTests(ResourceLedgerContract, TestCase):
    """The ledger in memory keeps the contract."""

    def setUp(self) -> None:
        self.file = LedgerFile()

    async def open_ledger(self, holder: str) -> ResourceLedger:
        return MemoryLedger(holder, self.file)

    def kill(self, holder: str) -> None:
        self.file.living.discard(holder)


class SqliteLedgerTests(ResourceLedgerContract, TestCase):
    """The ledger in the job store's file keeps the contract."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "jobs.db"
        self.living: set[str] = set()

    async def open_ledger(self, holder: str) -> SqliteLedger:
        self.living.add(holder)
        ledger = await open_ledger(self.path, holder, self.living.__contains__, ImmediateThreads())
        self.addCleanup(ledger.close)
        return ledger

    def kill(self, holder: str) -> None:
        self.living.discard(holder)
