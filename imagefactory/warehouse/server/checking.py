"""Reading bodies against their digests in the background, when only parts of them are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from hashlib import sha256
from itertools import islice

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.concurrency.task import Task
from imagefactory.concurrency.threads import Threads
from imagefactory.files.holes import hash_zeroes
from imagefactory.model.errors import NotFound
from imagefactory.warehouse.store.blobs import Blob, Reader
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.objects import Stored

BLOCK = 1 << 20
_STEP = 64  # blocks that one call into a thread reads: others get their turn


class Checks:
    """Reads one body after the other; each once, until `Trust` has forgotten that it was right."""

    _log = Logger()

    def __init__(self, store: Store, threads: Threads) -> None:
        self._store = store
        self._threads = threads
        self._waiting: dict[str, Blob] = {}
        self._task: Task[None] | None = None

    def look(self, stored: Stored, reader: Reader) -> None:
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
            reading = _Reading(reader, await self._threads.run(reader.extents))
            while await self._threads.run(reading.go_on):
                pass
            if reading.digest == blob.sha256:
                self._store.trust.add(blob, reader)
                return
            self._log.error("the blob {blob} is damaged", blob=blob.id)
            await self._threads.run(self._store.mark_damaged, blob.id)


class _Reading:
    """Hashes a body, some blocks at a time; holes are hashed and not read."""

    def __init__(self, reader: Reader, extents: list[tuple[int, int]]) -> None:
        self._reader = reader
        self._hash = sha256()
        self._blocks = _blocks(extents, reader.size)

    @property
    def digest(self) -> str:
        """Of what was read so far."""
        return self._hash.hexdigest()

    def go_on(self) -> bool:
        """Read some more; False at the end. Blocks."""
        block = None
        for block in islice(self._blocks, _STEP):
            start, length, data = block
            if data:
                self._hash.update(self._reader.read(start, length))
            else:
                hash_zeroes(self._hash, length)
        return block is not None


def _blocks(extents: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int, bool]]:
    """(offset, length, whether it is data) of all of a body, in blocks."""
    at = 0
    for start, length in [*extents, (size, 0)]:
        yield from ((here, min(BLOCK, start - here), False) for here in range(at, start, BLOCK))
        at = start + length
        yield from ((here, min(BLOCK, at - here), True) for here in range(start, at, BLOCK))
