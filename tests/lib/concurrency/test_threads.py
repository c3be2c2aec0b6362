"""Threads: blocking calls elsewhere."""

import os
import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from imagefactory.lib.concurrency.threads import BULK_THREADS, NICE, PoolThreads, ThreadPools, Threads
from imagefactory.lib.errors import Unavailable
from imagefactory.testing.threads import ImmediateThreads


def _nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class PoolThreadsTests(TestCase):
    """A pool with a beginning and an end."""

    def setUp(self) -> None:
        self.threads = PoolThreads(reactor, size=2)
        self.threads.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.threads.stop()))

    async def test_runs_elsewhere(self) -> None:
        """Not on the caller's thread; arguments and answer pass."""
        name, total = await self.threads.run(lambda a, b=0: (threading.get_ident(), a + b), 1, b=2)
        self.assertEqual(total, 3)
        self.assertNotEqual(name, threading.get_ident())

    async def test_yielding(self) -> None:
        """The reactor's thread keeps its priority, those of the pool have less; none has more than the process."""
        threads = PoolThreads(reactor, size=1, yielding=True)
        threads.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(threads.stop()))
        before = _nice()
        self.assertEqual(await threads.run(_nice), max(before, NICE))
        self.assertEqual(_nice(), before)
        self.assertEqual(await self.threads.run(_nice), before)

    async def test_error_passes(self) -> None:
        """What the function raises is raised here."""
        with self.assertRaises(ZeroDivisionError):
            await self.threads.run(lambda: 1 // 0)

    async def test_cancel_waits_for_the_call(self) -> None:
        """When CancelledError arrives the thread is done."""
        gate, done = threading.Event(), threading.Event()

        def work() -> None:
            gate.wait()
            done.set()

        call = Deferred.fromCoroutine(self.threads.run(work))
        call.cancel()
        self.assertNoResult(call)
        gate.set()
        with self.assertRaises(CancelledError):
            await call
        self.assertTrue(done.is_set())

    async def test_stop_waits_for_calls(self) -> None:
        """A stopping pool finishes what was begun."""
        threads = PoolThreads(reactor, size=1)
        threads.start()
        gate = threading.Event()
        call = Deferred.fromCoroutine(threads.run(gate.wait))
        stopping = Deferred.fromCoroutine(threads.stop())
        self.assertNoResult(stopping)
        gate.set()
        await stopping
        self.assertTrue(await call)

    async def test_refuses_after_stop(self) -> None:
        """A call that no thread will run is an error, not a wait for ever; so is one that comes while it stops."""
        threads = PoolThreads(reactor, size=1)
        threads.start()
        gate = threading.Event()
        call = Deferred.fromCoroutine(threads.run(gate.wait))
        stopping, again = (Deferred.fromCoroutine(threads.stop()) for _ in range(2))
        for late in (False, True):
            with self.assertRaises(Unavailable):
                await threads.run(int)
            if not late:
                gate.set()
                await call
                await stopping
        await again

    async def test_cancelled_stop(self) -> None:
        """It stops all the same, and raises then."""
        threads = PoolThreads(reactor, size=1)
        threads.start()
        gate = threading.Event()
        call = Deferred.fromCoroutine(threads.run(gate.wait))
        stopping = Deferred.fromCoroutine(threads.stop())
        stopping.cancel()
        self.assertNoResult(stopping)
        gate.set()
        self.assertTrue(await call)
        with self.assertRaises(CancelledError):
            await stopping

    async def test_abandoned(self) -> None:
        """Threads that may be left behind do not keep the process from ending."""
        threads = PoolThreads(reactor, size=1, abandoned=True)
        threads.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(threads.stop()))
        self.assertTrue(await threads.run(lambda: threading.current_thread().daemon))


class ThreadPoolsTests(TestCase):
    """Threads by purpose."""

    async def test_bulk_work_does_not_delay_the_database(self) -> None:
        """With as much bulk work as there may be, a call of the database is made at once, at full priority."""
        pools = ThreadPools(reactor, yielding=True)
        pools.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(pools.stop()))
        gate = threading.Event()
        self.addCleanup(gate.set)
        for _ in range(BULK_THREADS + 1):
            Deferred.fromCoroutine(pools.bulk.run(gate.wait))
        self.assertEqual(await pools.database.run(_nice), _nice())


class ImmediateThreadsTests(SynchronousTestCase):
    """The fake."""

    def test_calls_at_once(self) -> None:
        """No thread, no waiting."""
        threads: Threads = ImmediateThreads()
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(threads.run(max, 1, 2))), 2)
