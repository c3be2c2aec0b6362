"""Writing in batches, and the end of it."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store.batch_writer import DELAY, BatchWriter
from imagefactory.jobs.store.interface import Batch
from imagefactory.lib.errors import Unavailable
from imagefactory.testing.job_store import MemoryJobStore, job


class SlowStore(MemoryJobStore):
    """Keeps batches; each write ends when the test ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []
        self.writes: list[Deferred[frozenset[str]]] = []

    async def write(self, batch: Batch, held: Mapping[str, int]) -> frozenset[str]:
        """See `JobStore.write`."""
        self.batches.append(batch)
        self.writes.append(Deferred())
        return await self.writes[-1]


class BatchWriterTests(SynchronousTestCase):
    """One writer over a slow store."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = SlowStore()
        self.writer = BatchWriter(self.store, self.clock)

    def change(self) -> None:
        """Offer one of each kind."""
        self.writer.job(job())
        self.writer.line(LogLine(job().id, 1, 1.0, "text"))
        self.writer.event(JobEvent(1, 1.0, job()))

    def test_a_batch(self) -> None:
        """What comes within the delay is one write."""
        self.change()
        self.assertEqual(self.store.batches, [])
        self.clock.advance(DELAY)
        (batch,) = self.store.batches
        self.assertEqual((len(batch.jobs), len(batch.lines), len(batch.events)), (1, 1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_the_close(self) -> None:
        """Nothing is scheduled, and nothing is written, also not what was pending."""
        self.change()
        self.writer.close()
        self.change()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(Deferred.fromCoroutine(self.writer.flush()))
        self.assertEqual(self.store.batches, [])

    def test_a_flush_that_waited_for_another(self) -> None:
        """When its turn comes after the close, it leaves the store alone, also with what failed before it."""
        self.change()
        first = Deferred.fromCoroutine(self.writer.flush())
        self.change()
        second = Deferred.fromCoroutine(self.writer.flush())
        self.writer.close()
        self.store.writes[0].errback(Unavailable("closed"))
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(len(self.store.batches), 1)

    def test_a_failure_after_the_close(self) -> None:
        """The batch is not tried again."""
        self.change()
        flush = Deferred.fromCoroutine(self.writer.flush())
        self.writer.close()
        self.store.writes[0].errback(Unavailable("closed"))
        self.successResultOf(flush)
        self.assertEqual(self.clock.getDelayedCalls(), [])
