"""Copying bodies to other warehouses and directories, as policies want it.

What is to be copied is in the store's queue (see `store.queue`); here is who works it off: for each provider one copy
at a time, so that a silent one delays no other; what fails later again, over restarts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from imagefactory.lib.concurrency.backoff import backoff
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.periodic import Periodic
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Unavailable
from imagefactory.lib.secret import Secret
from imagefactory.warehouse.client import RemoteWarehouse, WarehouseAddress
from imagefactory.warehouse.copies import CopyDirectory
from imagefactory.warehouse.store.digests import digested
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.store.providers import ReplicationProvider
from imagefactory.warehouse.store.queue import LONGEST, Copy
from imagefactory.warehouse.wire import digests

LOOK_EVERY = 5.0
"""Seconds between two looks into an empty queue."""

FIRST = 5.0
_STEEPEST = 12  # failures after which the delay does not grow any more

Connect = Callable[[WarehouseAddress], Awaitable[RemoteWarehouse]]


class Replicator:
    """Makes the copies of one store, between `start()` and `stop()`.

    A provider of type `http` is a warehouse: it gets the attributes, too (but not `_policy`, which is ours), so that
    the copy can be used in its own right. One of type `fs` gets the body as PATH/BUCKET/KEY, where `directory` allows
    it. Copies to other types, which older versions accepted, are dropped with an error in the log.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        threads: Threads,
        clock: Clock,
        connect: Connect,
        random: Callable[[], float],
        *,
        directory: CopyDirectory,
    ) -> None:
        self._store = store
        self._queue = store.replication
        self._threads = threads
        self._clock = clock
        self._connect = connect
        self._random = random
        self._directory = directory
        self._clients: dict[str, tuple[ReplicationProvider, RemoteWarehouse]] = {}
        self._looks = Periodic("the look for copies to make", self._look, LOOK_EVERY, clock)
        self._tasks = TaskSet("replication")
        self._copying: dict[str, Task[None]] = {}  # by provider

    def start(self) -> None:
        """Work from now on."""
        self._looks.start(now=True)

    async def stop(self) -> None:
        """Returns when nothing is copied any more; what was on its way is copied after the next start."""
        await self._looks.stop()
        await self._tasks.close()
        while self._clients:
            await self._clients.popitem()[1][1].close()

    async def _look(self) -> None:
        """Begin what is due."""
        await self._close_changed()
        for name in await self._threads.run(self._queue.due):
            if name not in self._copying or self._copying[name].ended.fired:
                self._copying[name] = self._tasks.add(self._drain(name))

    async def _drain(self, name: str) -> None:
        """Make all copies to one provider that are due."""
        try:
            while (due := await self._threads.run(self._queue.next, name)) is not None:
                await self._attempt(due)
        except CancelledError:
            raise
        except Exception:
            self._log.failure("the copies to {name} cannot be made", name=name)

    async def _attempt(self, due: Copy) -> None:
        try:
            await self._make(due)
        except CancelledError:
            raise
        except Exception as error:  # whatever it is: it must not keep other copies waiting
            delays = backoff(self._random, first=FIRST, limit=LONGEST)
            delay = next(islice(delays, min(due.attempts, _STEEPEST), None))
            self._log.warn("{copy} failed, again in {delay:.0f} s: {error}", copy=due, delay=delay, error=str(error))
            await self._threads.run(self._queue.postponed, due, delay, str(error))

    async def _make(self, due: Copy) -> None:
        known = {one.name: one for one in await self._threads.run(self._queue.providers)}
        found = await self._threads.run(self._store.describe, due.bucket, due.key)
        provider = known.get(due.provider)
        if provider is None or found is None or found[0].blob is None:
            await self._threads.run(self._queue.dropped, due)
            return
        found = await self._threads.run(digested, self._store, found[0]), found[1]
        stored, attributes = found
        match provider.type:
            case "http":
                await self._to_warehouse(provider, stored, attributes)
            case "fs":
                where = provider.path, stored.bucket, stored.key
                await self._threads.run(self._directory.store, self._path(stored), *where)
            case other:
                self._log.error("{copy}: there are no copies to providers of type {type}", copy=due, type=other)
                await self._threads.run(self._queue.dropped, due)
                return
        if await self._threads.run(self._store.describe, due.bucket, due.key) == found:  # else it is due again
            assert stored.blob is not None
            await self._threads.run(self._queue.copied, due, stored.blob.sha256)

    def _path(self, stored: StoredObject) -> Path:
        assert stored.blob is not None
        path = self._store.blobs.path(stored.blob.id)
        if path is None or stored.blob.damaged:
            raise Unavailable("the body is damaged, or in no file", where=f"{stored.bucket}/{stored.key}")
        return path

    async def _to_warehouse(
        self, provider: ReplicationProvider, stored: StoredObject, attributes: Mapping[str, str]
    ) -> None:
        mine = {name: value for name, value in attributes.items() if name != "_policy"}
        there, bucket, key = await self._client(provider), stored.bucket, stored.key
        theirs = await there.attributes(bucket, key)
        if theirs is None or not await self._threads.run(self._queue.has_copy, bucket, key, provider.name):
            assert stored.blob is not None
            await there.create_bucket(bucket)
            await there.send(bucket, key, self._path(stored), mine, digests(stored.blob.sha256, stored.blob.content))
        gone = {name: None for name in theirs or {} if name not in attributes}
        changes = gone | {name: value for name, value in mine.items() if theirs and theirs.get(name) != value}
        if changes:
            await there.set_attributes(bucket, key, changes)

    async def _client(self, provider: ReplicationProvider) -> RemoteWarehouse:
        if provider.name not in self._clients:
            host = provider.host if "://" in provider.host else f"http://{provider.host}"
            secret = Secret(provider.password)
            url = f"{host}:{provider.port}"
            place = WarehouseAddress(url, provider.username, secret, wait=0, copies=True)  # it is the queue that waits
            self._clients[provider.name] = provider, await self._connect(place)
        return self._clients[provider.name][1]

    async def _close_changed(self) -> None:
        """Let go of the connections to providers that are gone, or another place now."""
        if self._clients:
            known = await self._threads.run(self._queue.providers)
            for name in [name for name, (provider, _) in self._clients.items() if provider not in known]:
                await self._clients.pop(name)[1].close()

    async def has(self, bucket: str, key: str, name: str) -> bool:
        """Whether the provider `name` has the body as it is now: it is asked. Unavailable."""
        provider = next((one for one in await self._threads.run(self._queue.providers) if one.name == name), None)
        stored = await self._threads.run(self._store.find, bucket, key)
        if provider is None or stored is None or stored.blob is None:
            return False
        if provider.here:
            return not stored.blob.damaged
        if not await self._threads.run(self._queue.has_copy, bucket, key, name):
            return False
        if provider.type == "fs":
            size = await self._threads.run(self._directory.size, provider.path, bucket, key)
            return size == stored.blob.size
        return await (await self._client(provider)).has(bucket, key, stored.blob.sha256)
