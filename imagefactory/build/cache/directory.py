"""The directory that holds stage results.

    <kind>/<digest>/body        the result
    <kind>/<digest>/entry.json  its sidecar; a shared lock on it is a lease of the entry; mtime: when it was last used
    tree/<digest>/*             the unpacked tree of a stage, with a sidecar; its files may belong to subordinate users
    making/<digest>-*/          results that are being made
    unpacking/*/                workspaces for trees that are being unpacked; in the journal of their process
    locks/<digest>              locked while the entry is made or removed
    trash/*                     entries that are being removed

A result comes and goes by one rename of its directory. Everything here blocks: it belongs into a thread.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from imagefactory.build.cache.entry import EntryMetadata, decode, describe, encode
from imagefactory.build.cache.interface import StageKey
from imagefactory.lib.errors import Unavailable
from imagefactory.lib.files.content import content_of
from imagefactory.lib.files.holes import Watch
from imagefactory.lib.files.locks import FileLock
from imagefactory.systems.disk.space import full_disk

BODY = "body"
CARD = "entry.json"
TREE = "tree"
UNPACKING = "unpacking"
OWN = ("making", "locks", "trash", UNPACKING)
READ_ONLY = 0o444


@dataclass(frozen=True, slots=True)
class CacheFile:
    """An entry as `CacheDirectory.entries` sees it: directory, time of last use, bytes on the disk (without holes)."""

    path: Path
    used: float
    allocated: int

    def card(self) -> EntryMetadata:
        """Raises ValueError, OSError."""
        return decode((self.path / CARD).read_bytes())


class CacheDirectory:
    """All results below `root`, whose owner alone may read it: images hold password hashes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, key: StageKey) -> Path:
        """The directory of an entry, there or not."""
        return self._root / key.kind / key.digest

    def prepare(self) -> None:
        """Make the directories, and remove what killed processes were making in them. Raises Unavailable."""
        try:
            for path in (self._root, *(self._root / name for name in OWN)):
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            hint = "make it writable, or choose another state_dir"
            raise Unavailable(
                f"the cache of stages cannot be used: {error.strerror}", where=str(self._root), hint=hint
            ) from error
        for digest in {path.name.partition("-")[0] for name in OWN[:2] for path in (self._root / name).iterdir()}:
            self._sweep(digest)
        self._empty_trash()

    def making(self, digest: str) -> FileLock:
        """The lock that is held while this result is made or removed."""
        return FileLock(self._root / "locks" / digest)

    def work(self, digest: str) -> Path:
        """The name of a new directory to make a result in: a child of an owner that died may still write to the old."""
        return self._root / "making" / f"{digest}-{uuid4().hex[:8]}"

    def begin(self, digest: str, work: Path) -> None:
        """Make `work`, for the owner of `making(digest)`; what an earlier owner left unfinished is removed."""
        self._remove_unfinished(digest)
        with full_disk(work, 0):
            work.mkdir()

    def finish(self, key: StageKey, work: Path, facts: Mapping[str, str], made: float, watch: Watch) -> EntryMetadata:
        """Write the sidecar of `work`'s body.

        It is not waited for the disk: what a power cut takes is noticed by its digest and made again, as all damage is.
        """
        body = work / BODY
        size = body.stat().st_size
        with full_disk(body, size):
            card = describe(key, facts, made, size=size, content=content_of(body, watch))
            body.chmod(READ_ONLY)
            (work / CARD).write_bytes(encode(card))
            os.utime(work / CARD, (made, made))
        return card

    def place(self, key: StageKey, work: Path) -> None:
        """Make the finished `work` the entry of `key`."""
        self.discard(self.path(key))
        self.path(key).parent.mkdir(exist_ok=True, mode=0o700)
        work.rename(self.path(key))

    def discard(self, entry: Path) -> None:
        """Remove an entry or unfinished work, in one step as seen by all processes; what is not there is no error.

        Only the owner of `making(digest)` may: else it could be a new one that goes.
        """
        gone = self._root / "trash" / uuid4().hex
        with suppress(FileNotFoundError):
            entry.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def trash(self) -> list[Path]:
        """What is being removed, and trees of which `discard` could not remove the files of subordinate users."""
        return list((self._root / "trash").iterdir())

    def on_one_file_system(self, path: Path) -> bool:
        """Whether `path` can be moved into this directory."""
        return path.stat().st_dev == self._root.stat().st_dev

    def entries(self, kind: str = "*") -> Iterator[CacheFile]:
        """All entries (of a kind); one that goes away meanwhile is left out."""
        for card in self._root.glob(f"{kind}/*/{CARD}"):
            if card.parent.parent.name not in OWN:
                with suppress(FileNotFoundError):
                    yield CacheFile(card.parent, card.stat().st_mtime, _allocated(card))

    def evict(self, limit: int) -> list[Path]:
        """Remove what was not used for longest and is not in use, until all together take at most `limit` bytes."""
        shelved = sorted(self.entries(), key=lambda entry: entry.used)
        total = sum(entry.allocated for entry in shelved)
        gone = []
        for entry in shelved:
            if total > limit and self._removed(entry.path):
                total -= entry.allocated
                gone.append(entry.path)
        return gone

    def _removed(self, entry: Path) -> bool:
        """Remove an entry that is neither made nor used at the moment; returns whether it is gone."""
        making, using = self.making(entry.name), FileLock(entry / CARD)
        try:
            free = making.take(create=True) and using.take()
            if free:
                self.discard(entry)
            return free
        finally:
            using.release()
            making.release(remove=True)

    def _sweep(self, digest: str) -> None:
        lock = self.making(digest)
        if lock.take(create=True):
            try:
                self._remove_unfinished(digest)
            finally:
                lock.release(remove=True)

    def _remove_unfinished(self, digest: str) -> None:
        for path in (self._root / "making").glob(f"{digest}-*"):
            self.discard(path)

    def _empty_trash(self) -> None:
        for path in self.trash():
            shutil.rmtree(path, ignore_errors=True)


def _allocated(card: Path) -> int:
    """Bytes of an entry on the disk. A tree was measured when it was kept: its directories may not be readable."""
    if card.parent.parent.name != TREE:
        return (card.parent / BODY).stat().st_blocks * 512
    try:
        return decode(card.read_bytes()).size
    except ValueError:
        return 0


class Lease:
    """The use of an entry, which is not evicted while it is open."""

    def __init__(self, entry: Path) -> None:
        self.entry = entry
        self.card: EntryMetadata | None = None
        self._lock = FileLock(entry / CARD)

    def open(self) -> bool:
        """Whether the entry is there; `card` is None then if its sidecar cannot be read."""
        if not self._lock.take(shared=True):
            return False
        with suppress(ValueError):
            self.card = decode(self._lock.read())
        return True

    def damage(self, key: StageKey, watch: Watch) -> str:
        """What is wrong with the entry, in words; empty: nothing."""
        body = self.entry / BODY
        if self.card is None or self.card.digest != key.digest:
            return "its sidecar cannot be read"
        if not body.is_file():
            return "its body is not there"
        if (size := body.stat().st_size) != self.card.size:
            return f"its body has {size} bytes instead of {self.card.size}"
        return "" if content_of(body, watch) == self.card.content else "the content of its body has changed"

    def touch(self, now: float) -> None:
        """It is used now."""
        os.utime(self.entry / CARD, (now, now))

    def close(self) -> None:
        """Done with it; twice is once."""
        self._lock.release()
