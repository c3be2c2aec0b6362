"""Unpacked trees of stages, kept beside the archives so that the next build need not unpack them again.

A tree is an entry of the cache: leased while it is used, counted by the limit and evicted like any other. It is never
changed; a build lays its own over it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from twisted.logger import Logger

from imagefactory.build.cache.directory import CARD, TREE, UNPACKING, CacheDirectory, Lease
from imagefactory.build.cache.entry import describe, encode
from imagefactory.build.cache.interface import StageKey
from imagefactory.build.cache.keys import stage_key
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.files.locks import FileLock
from imagefactory.lib.process.journal import boot_id
from imagefactory.lib.process.workspaces import Workspaces

_BOOT = "boot"
"""The fact of a tree that says since which start of the host it is there."""


class KeptTrees:
    """The trees in a cache directory, which any number of processes may share.

    A tree has no digest of its content that could be compared. It is there when it is complete, but a power cut may
    take what was not written to the disk yet: after a new start of the host all trees are unpacked again.

    Args:
        workspaces: like those of builds; trees are unpacked on the file system of the cache.
        evict: keeps the cache to its limit.
    """

    _log = Logger()

    def __init__(
        self,
        root: Path,
        *,
        workspaces: Workspaces,
        evict: Callable[[], Awaitable[None]],
        threads: Threads,
        clock: Clock,
    ) -> None:
        self._directory = CacheDirectory(root)
        self._workspaces = workspaces.below(root / UNPACKING)
        self._evict = evict
        self._threads = threads
        self._clock = clock

    async def workspace(self) -> Path:
        """A new workspace whose tree can be kept; the caller removes it like any other."""
        return await self._workspaces.make("tree")

    async def find(self, stage: StageKey) -> Lease | None:
        """The lease of the workspace with the tree of `stage`, to be closed; None if it is not kept."""
        key = _key(stage)
        lease = Lease(self._directory.path(key))
        try:
            usable = await self._threads.run(self._usable, lease, key, self._clock.seconds())
        except BaseException:
            lease.close()
            raise
        if not usable:
            lease.close()
        return lease if usable else None

    async def keep(self, stage: StageKey, workspace: Path, size: int) -> Lease | None:
        """Move a workspace with the complete tree of `stage` here; the lease is to be closed.

        None, and the workspace stays, if it cannot be moved (it is on another file system) or is kept and used already.

        Args:
            size: bytes that it takes on the disk.
        """
        lease = Lease(workspace)
        try:
            kept = await self._threads.run(self._keep, _key(stage), lease, size, self._clock.seconds())
            if kept:
                await self._evict()
        except BaseException:
            lease.close()
            raise
        return lease if kept else None

    def _usable(self, lease: Lease, key: StageKey, now: float) -> bool:
        if not lease.open() or lease.card is None:
            return False
        if lease.card.digest != key.digest or lease.card.facts.get(_BOOT) != boot_id():
            return False
        lease.touch(now)
        return True

    def _keep(self, key: StageKey, lease: Lease, size: int, now: float) -> bool:
        making = self._directory.making(key.digest)
        if not making.take(create=True):
            return False
        try:
            if not self._free(key) or not self._directory.on_one_file_system(lease.entry):
                return False
            self._place(key, lease, size, now)
        except OSError as error:
            lease.close()
            self._log.warn("the tree of a stage is not kept: {error}", error=error)
            return False
        finally:
            making.release(remove=True)
        return True

    def _place(self, key: StageKey, lease: Lease, size: int, now: float) -> None:
        """Lease it first, then let others see it: no process evicts what was just made."""
        card = describe(key, {_BOOT: boot_id()}, now, size=size, content="")
        (lease.entry / CARD).write_bytes(encode(card))
        os.utime(lease.entry / CARD, (now, now))
        lease.open()
        self._directory.place(key, lease.entry)
        lease.entry = self._directory.path(key)

    def _free(self, key: StageKey) -> bool:
        """Whether no process uses a tree that is kept under this key."""
        card = self._directory.path(key) / CARD
        using = FileLock(card)
        try:
            return using.take() or not card.exists()
        finally:
            using.release()


def _key(stage: StageKey) -> StageKey:
    """The key of a stage's tree."""
    return stage_key(TREE, {}, stage.digest)
