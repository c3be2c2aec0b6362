"""The store as a `Warehouse`: its blocking operations, each in a thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from imagefactory.concurrency.threads import Threads
from imagefactory.model.errors import TooLarge
from imagefactory.warehouse import names
from imagefactory.warehouse.store.database import open_database, plain_errors
from imagefactory.warehouse.store.directory import DirectoryBlobs
from imagefactory.warehouse.store.local import Store


def open_store(path: Path, now: Callable[[], float] = time.time) -> Store:
    """The store in directory `path`, made if need be, swept of what dead processes left there. Blocks.

    Raises NoSpace, Unavailable, Conflict (written by a newer program).
    """
    database = open_database(path)
    with plain_errors(path):
        store = Store(database, DirectoryBlobs(path), now)
    store.sweep()
    return store


class EmbeddedWarehouse:
    """A `Warehouse` in this process; see there for what the methods do."""

    def __init__(self, store: Store, threads: Threads) -> None:
        self.store = store
        self.threads = threads

    async def create_bucket(self, bucket: str) -> bool:
        return await self.threads.run(self.store.create_bucket, bucket)

    async def put(self, bucket: str, key: str, body: bytes | None, attributes: Mapping[str, str]) -> None:
        await self.threads.run(self.store.put, bucket, key, body, attributes)

    async def adopt(
        self, bucket: str, key: str, path: Path, attributes: Mapping[str, str], *, sha256: str = ""
    ) -> None:
        await self.threads.run(self.store.adopt, bucket, key, path, attributes, sha256)

    async def set_attributes(self, bucket: str, key: str, attributes: Mapping[str, str | None]) -> None:
        await self.threads.run(self.store.put, bucket, key, None, attributes)

    async def attributes(self, bucket: str, key: str) -> dict[str, str] | None:
        found = await self.threads.run(self.store.describe, bucket, key)
        return None if found is None else found[1]

    async def several(self, bucket: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        return await self.threads.run(self.store.attributes_of, bucket, keys, ())

    async def body(self, bucket: str, key: str, *, limit: int = 16 << 20) -> bytes | None:
        return await self.threads.run(self._body, bucket, key, limit)

    def _body(self, bucket: str, key: str, limit: int) -> bytes | None:
        opened = self.store.open(bucket, key)
        if opened is None:
            return None
        _, reader = opened
        try:
            if reader.size > limit:
                raise TooLarge(f"the body has {reader.size} bytes, {limit} are allowed", where=f"{bucket}/{key}")
            return reader.read(0, reader.size)
        finally:
            reader.close()

    async def local(self, bucket: str, key: str, workspace: Path) -> Path | None:
        return await self.threads.run(self._local, bucket, key, workspace)

    def _local(self, bucket: str, key: str, workspace: Path) -> Path | None:
        """A second name below `workspace` for the store's file, which survives that the object is replaced."""
        path = self._path(bucket, key)
        if path is None:
            return None
        names.check(key, "an object")
        mine = workspace / key
        with suppress(OSError):  # another file system: then its own path
            mine.unlink(missing_ok=True)
            os.link(path, mine)
            return mine
        return path

    async def path(self, bucket: str, key: str) -> Path | None:
        """The store's own file of a body, to be read only; None if there is no body."""
        return await self.threads.run(self._path, bucket, key)

    def _path(self, bucket: str, key: str) -> Path | None:
        stored = self.store.find(bucket, key)
        return self.store.blobs.path(stored.blob.id) if stored and stored.blob else None

    async def delete(self, bucket: str, key: str) -> bool:
        return await self.threads.run(self.store.delete, bucket, key)

    async def keys(self, bucket: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
        return await self.threads.run(self.store.keys, bucket, prefix, after, limit)

    async def query(self, bucket: str, expression: str) -> list[str]:
        return await self.threads.run(self.store.query, bucket, expression)

    async def close(self) -> None:
        """Let go of the directory."""
        await self.threads.run(self.store.close)
