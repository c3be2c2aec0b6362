"""The embedded warehouse on the threads of a daemon."""

import threading
from contextlib import AsyncExitStack
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from imagefactory.app.storage import open_embedded
from imagefactory.lib.concurrency.threads import BULK_THREADS, ThreadPools


class StorageThreadsTests(TestCase):
    """Slow work keeps no look-up waiting."""

    async def test_metadata_while_all_bulk_threads_are_busy(self) -> None:
        """Records are read and written, as for `/health`, listings and jobs; a body waits for its turn."""
        pools = ThreadPools(reactor)
        pools.start()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(pools.stop)
            warehouse = await open_embedded(Path(self.mktemp()), pools, stack)
            gate = threading.Event()
            stack.callback(gate.set)
            for _ in range(BULK_THREADS):
                Deferred.fromCoroutine(pools.bulk.run(gate.wait))
            await warehouse.create_bucket("images")
            await warehouse.put("images", "one", None, {"status": "NEW"})
            self.assertEqual(await warehouse.keys("images"), ["one"])
            self.assertEqual(await warehouse.attributes("images", "one"), {"status": "NEW"})
            body = Deferred.fromCoroutine(warehouse.put("images", "two", b"body", {}))
            self.assertEqual(await warehouse.query("images", '$status == "NEW"'), ["one"])
            self.assertNoResult(body)
            gate.set()
            await body
            self.assertEqual(await warehouse.body("images", "two"), b"body")
