"""Reading bodies against their digests in the background, when only parts of them are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import NotFound
from imagefactory.warehouse.store.blobs import Blob, Reader
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.store.trust import proof

_STEP = 64  # blocks that one call into a thread reads: others get their turn


class Checks:
    """Reads one body after the other; each once, until `Trust` has forgotten that it was right."""

    _log = Logger()

    def __init__(self, store: Store, threads: Threads) -> None:
        self._store = store
        self._threads = threads
        self._waiting: dict[str, Blob] = {}
        self._task: Task[None] | None = None

    def look(self, stored: StoredObject, reader: Reader) -> None:
        """Have the body read, unless it was found right lately."""
        assert stored.blob is not None
        if not self._store.trust.holds(stored.blob, reader):
            self._waiting.setdefault(stored.blob.id, stored.blob)
        if self._waiting and (self._task is None or self._task.ended.fired):
            self._task = Task(self._work())

    async def close(self) -> None:
        """Read no more."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await self._task.settled()

    async def _work(self) -> None:
        while self._waiting:
            blob = next(iter(self._waiting.values()))
            try:
                await self._check(blob)
            except CancelledError:
                raise
            except Exception:  # the next body is another matter
                self._log.failure("the blob {blob} could not be checked", blob=blob.id)
            self._waiting.pop(blob.id, None)

    async def _check(self, blob: Blob) -> None:
        with suppress(NotFound), closing(await self._threads.run(self._store.blobs.open, blob.id)) as reader:
            reading, wanted = await self._threads.run(proof, blob, reader)
            steps = iter(reading)
            while await self._threads.run(_go_on, steps):
                pass
            if reading.digest == wanted:
                self._store.trust.add(blob, reader)
                return
            self._log.error("the blob {blob} is damaged", blob=blob.id)
            await self._threads.run(self._store.mark_damaged, blob.id)


def _go_on(steps: Iterator[int]) -> bool:
    """Read some more; False at the end. Blocks."""
    return len(deque(islice(steps, _STEP))) > 0
