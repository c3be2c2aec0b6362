"""What a large disk that is mostly holes costs on its way through the cache into the warehouse."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.interface import Entry
from imagefactory.build.cache.keys import stage_key
from imagefactory.model.report import Report, Silence
from imagefactory.testing.build import remove_all
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.store.embedded import open_store

KIB, MIB = 1 << 10, 1 << 20
SIZE = 1 << 40
PIECES = (0, SIZE // 2 + 5, SIZE - MIB)
KEY = stage_key("adapt", {"target": "ec2"})
_SHA256, _PREAD = hashlib.sha256, os.pread


class Counted:
    """Counts bytes that are read and hashed, and ends what takes far too many."""

    def __init__(self) -> None:
        self.read = self.hashed = 0

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        """As os.pread."""
        data = _PREAD(descriptor, length, offset)
        self.read += len(data)
        return data

    def sha256(self, data: bytes = b"") -> Hash:
        """As hashlib.sha256."""
        return Hash(self, data)


class Hash:
    """A SHA-256 that counts."""

    def __init__(self, counted: Counted, data: bytes) -> None:
        self._counted = counted
        self._hash = _SHA256(data)

    def update(self, data: bytes) -> None:
        """As hashlib has it."""
        self._counted.hashed += len(data)
        if self._counted.hashed > 64 * MIB:
            raise AssertionError("holes are hashed")
        self._hash.update(data)

    def copy(self) -> Hash:
        """As hashlib has it."""
        copy = Hash(self._counted, b"")
        copy._hash = self._hash.copy()
        return copy

    def hexdigest(self) -> str:
        """As hashlib has it."""
        return self._hash.hexdigest()


async def make(path: Path, report: Report) -> Mapping[str, str]:
    """A raw disk of 1 TiB with three pieces of 4 KiB in it."""
    with path.open("wb") as file:
        for place in PIECES:
            file.seek(place)
            file.write(b"data" * KIB)
        file.truncate(SIZE)
    return {}


class LargeTests(SynchronousTestCase):
    """Work goes with the data, not with the size."""

    def test_raw_disk_of_a_tebibyte(self) -> None:
        """Made, taken from the cache and adopted by the warehouse, it is read and hashed block by block where it has
        data, once each time, and nowhere else."""
        root = Path(self.mktemp())
        store = open_store(root / "warehouse")
        self.addCleanup(store.close)
        cache = DirectoryCache(root / "cache", SIZE, remove=remove_all, threads=ImmediateThreads(), clock=Clock())
        self.successResultOf(Deferred.fromCoroutine(cache.start()))
        store.create_bucket("b")
        counted = Counted()
        with (
            patch.object(hashlib, "sha256", counted.sha256),
            patch.object(os, "pread", counted.pread),
        ):
            for key in ("made", "found"):
                entry: Entry = self.successResultOf(Deferred.fromCoroutine(cache.obtain(KEY, make, Silence())))
                link = root / key
                os.link(entry.path, link)
                stored = store.adopt("b", key, link, {}, entry.content)
        assert stored.blob is not None
        self.assertEqual((stored.blob.size, stored.blob.content), (SIZE, entry.content))
        self.assertLess(stored.blob.allocated, MIB)
        blocks = 2 * len(PIECES) + 2  # a block of 1 MiB for each piece or two, made and found
        self.assertLessEqual(counted.read, blocks * MIB)
        self.assertLess(counted.hashed, blocks * MIB + 100 * KIB)
        cache.release(entry)
