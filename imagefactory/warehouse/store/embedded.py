"""The store as a `Warehouse`: its blocking operations, each in a thread."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Conflict, FactoryError, TooLarge
from imagefactory.lib.files.daily import claim_daily
from imagefactory.warehouse import names
from imagefactory.warehouse.store.blobs import Reader
from imagefactory.warehouse.store.conditions import expecting
from imagefactory.warehouse.store.database import open_database, plain_errors
from imagefactory.warehouse.store.directory import DirectoryBlobs
from imagefactory.warehouse.store.local import Store
from imagefactory.warehouse.store.objects import StoredObject
from imagefactory.warehouse.store.reserve import Reserve
from imagefactory.warehouse.store.sqlite_metadata import SqliteMetadata

_TRIES = 5


def open_store(path: Path, now: Callable[[], float] = time.time, *, sweep: bool = True) -> Store:
    """Open the store in the directory `path`, or make it. Blocks.

    Args:
        now: the Unix time in seconds.
        sweep: look through all bodies for those that no object refers to; if not, that is done only if it was not done
            for a day. What killed processes were writing is removed in any case.

    Raises:
        NoSpace, Unavailable, Conflict: written by a newer program.
    """
    database = open_database(path)
    with plain_errors(path):
        reserve = Reserve(path / "reserve")
        store = Store(SqliteMetadata(database), DirectoryBlobs(path), now, reserve)
    if claim_daily(path / "swept", now(), always=sweep):
        store.sweep()
    else:
        store.blobs.sweep_unfinished()
    reserve.hold()
    return store


class EmbeddedWarehouse:
    """A `Warehouse` in this process; see there for what the methods do.

    `threads` are for metadata, `bulk` for bodies, which take long (None: the same).
    """

    def __init__(self, store: Store, threads: Threads, bulk: Threads | None = None) -> None:
        self.store = store
        self.threads = threads
        self.bulk = bulk or threads

    async def create_bucket(self, bucket: str) -> bool:
        return await self.threads.run(self.store.create_bucket, bucket)

    async def put(self, bucket: str, key: str, body: bytes | None, attributes: Mapping[str, str]) -> None:
        await (self.threads if body is None else self.bulk).run(self.store.put, bucket, key, body, attributes)

    async def adopt(
        self, bucket: str, key: str, path: Path, attributes: Mapping[str, str], *, content: str = "", keep: bool = False
    ) -> None:
        await self.bulk.run(self.store.adopt, bucket, key, path, attributes, content, keep=keep)

    async def set_attributes(
        self,
        bucket: str,
        key: str,
        attributes: Mapping[str, str | None],
        *,
        expected: Mapping[str, str | None] | None = None,
    ) -> None:
        await self.threads.run(self.store.put, bucket, key, None, attributes, expecting(expected or {}, attributes))

    async def attributes(self, bucket: str, key: str) -> dict[str, str] | None:
        found = await self.threads.run(self.store.describe, bucket, key)
        return None if found is None else found[1]

    async def several(self, bucket: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        return await self.threads.run(self.store.attributes_of, bucket, keys, ())

    async def body(self, bucket: str, key: str, *, limit: int = 16 << 20) -> bytes | None:
        return await self.bulk.run(self._body, bucket, key, limit)

    def _body(self, bucket: str, key: str, limit: int) -> bytes | None:
        with self._opened(bucket, key) as opened:
            if opened is None:
                return None
            stored, reader = opened
            if reader.size > limit:
                raise TooLarge(f"the body has {reader.size} bytes, {limit} are allowed", where=f"{bucket}/{key}")
            self._demand_intact(stored, reader)
            return reader.read(0, reader.size)

    @contextmanager
    def _opened(self, bucket: str, key: str) -> Iterator[tuple[StoredObject, Reader] | None]:
        opened = self.store.open(bucket, key)
        try:
            yield opened
        finally:
            if opened is not None:
                opened[1].close()

    def _demand_intact(self, stored: StoredObject, reader: Reader) -> None:
        """An error, which is remembered with the body, if it is not what was stored."""
        assert stored.blob is not None
        if not self.store.trust.proves(stored.blob, reader):
            self.store.mark_damaged(stored.blob.id)
            where = f"{stored.bucket}/{stored.key}"
            raise FactoryError("the body is damaged", where=where, hint="look after the disk, and store it again")

    async def local(self, bucket: str, key: str, workspace: Path) -> Path | None:
        return await self.bulk.run(self._local, bucket, key, workspace)

    def _local(self, bucket: str, key: str, workspace: Path) -> Path | None:
        """A second name below `workspace` for the store's file, which survives that the object is replaced."""
        names.check(key, "an object")
        mine = workspace / key
        for _ in range(_TRIES):
            with self._opened(bucket, key) as opened:
                if opened is None or (path := self._own(opened[0])) is None:
                    return None
                self._demand_intact(*opened)
                with suppress(FileNotFoundError):  # replaced meanwhile: look again
                    return mine if _link(path, mine) else path
        raise Conflict("the body is replaced all the time", where=f"{bucket}/{key}", hint="try again later")

    def _own(self, stored: StoredObject) -> Path | None:
        return self.store.blobs.path(stored.blob.id) if stored.blob else None

    async def path(self, bucket: str, key: str) -> Path | None:
        """The store's own file of a body, to be read only; None if there is none, or it has lost some of its bytes."""
        return await self.threads.run(self._path, bucket, key)

    def _path(self, bucket: str, key: str) -> Path | None:
        stored = self.store.find(bucket, key)
        path = self._own(stored) if stored else None
        if stored is None or stored.blob is None or path is None or not path.is_file():
            return None
        return path if path.stat().st_size == stored.blob.size else None

    async def delete(self, bucket: str, key: str) -> bool:
        return await self.threads.run(self.store.delete, bucket, key)

    async def keys(self, bucket: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
        return await self.threads.run(self.store.keys, bucket, prefix, after, limit)

    async def query(self, bucket: str, expression: str) -> list[str]:
        return await self.threads.run(self.store.query, bucket, expression)

    async def close(self) -> None:
        """Let go of the directory."""
        await self.threads.run(self.store.close)


def _link(path: Path, mine: Path) -> bool:
    """Make the second name; False where the file system allows none."""
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.unlink(missing_ok=True)
    try:
        os.link(path, mine)
    except OSError as failure:
        if failure.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK}:
            raise
        return False
    return True
