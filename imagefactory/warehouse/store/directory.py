"""Bodies as files below a directory: `blobs/ab/cd/<id>`, and `incoming/<owner>/<id>` while they arrive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from uuid import uuid4

from imagefactory.lib.errors import NotFound
from imagefactory.lib.files.holes import data_of
from imagefactory.lib.files.locks import FileLock
from imagefactory.warehouse.store.blobs import Incoming, Reader, Receiving
from imagefactory.warehouse.store.incoming import Adopted, Received


class DirectoryBlobs:
    """A `BlobStore` for any number of processes.

    Each instance has a directory for what is coming in, and holds a lock beside it as long as it lives: a directory
    whose lock is free belonged to a process that has ended. All of it is on one file system: placing is a rename.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._incoming = root / "incoming"
        for directory in (self._blobs, self._incoming):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._mine, self._lock = self._settle()
        self._digesters = ThreadPoolExecutor(os.cpu_count(), "digest")  # has no thread before it is used

    def _settle(self) -> tuple[Path, FileLock]:
        while True:
            mine = self._incoming / uuid4().hex
            lock = FileLock(mine.with_suffix(".lock"))
            if lock.take(create=True):
                mine.mkdir(mode=0o700)
                return mine, lock

    def receive(self, *, content: bool = False) -> Receiving:
        id = uuid4().hex
        return Received(id, self._mine / id, self._place(id), content=content, digesters=self._digesters)

    def adopt(self, path: Path, content: str = "") -> Incoming:
        id = uuid4().hex
        return Adopted(id, self._mine / id, self._place(id), path, content)

    def open(self, id: str) -> Reader:
        try:
            return FileReader(self._place(id))
        except FileNotFoundError:
            raise NotFound("the body is gone", where=id) from None

    def path(self, id: str) -> Path | None:
        return self._place(id)

    def remove(self, id: str) -> None:
        self._place(id).unlink(missing_ok=True)

    def free(self) -> int | None:
        status = os.statvfs(self._blobs)
        return status.f_bavail * status.f_frsize

    def sweep_unfinished(self) -> int:
        return sum(self._sweep_owner(lock) for lock in self._incoming.glob("*.lock"))

    def sweep_orphans(self, known: Callable[[Collection[str]], set[str]], before: float) -> int:
        ids = {path.name for path in self._blobs.glob("??/??/*") if _came(path) < before}
        orphans = ids - known(ids) if ids else set()
        for id in orphans:
            self.remove(id)
        return len(orphans)

    def _sweep_owner(self, path: Path) -> int:
        lock = FileLock(path)
        if not lock.take():
            return 0
        left = path.with_suffix("")
        count = sum(1 for _ in _files(left))
        shutil.rmtree(left, ignore_errors=True)
        lock.release(remove=True)
        return count

    def close(self) -> None:
        shutil.rmtree(self._mine, ignore_errors=True)
        self._lock.release(remove=True)
        self._digesters.shutdown()

    def _place(self, id: str) -> Path:
        return self._blobs / id[:2] / id[2:4] / id


class FileReader:
    """A `Reader` of one file."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._fd)
        self.size = status.st_size
        self.version = f"{status.st_ino} {status.st_mtime_ns}"

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._fd, length, offset)

    def extents(self) -> list[tuple[int, int]]:
        return data_of(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def _came(path: Path) -> float:
    """When a file came to its place: renaming and linking change that time, and nothing sets it back."""
    try:
        return path.stat().st_ctime
    except FileNotFoundError:  # removed meanwhile
        return inf


def _files(directory: Path) -> Iterator[Path]:
    return directory.iterdir() if directory.is_dir() else iter(())
