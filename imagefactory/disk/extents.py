"""Which parts of a file are data and which are holes, and what follows from it: digests and copies that never read a
hole.

Everything here blocks and is run in a thread. The long ones call `watch` with the bytes done so far of the whole;
whatever it raises ends the work.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from imagefactory.disk.space import full_disk

CHUNK = 1 << 20
_ZEROES = bytes(CHUNK)
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_NO_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ETXTBSY}

Watch = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


def unwatched(done: int, total: int) -> None:
    """A `Watch` that looks away."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes: `data`, or else a hole (which reads as zeroes)."""

    start: int
    length: int
    data: bool


def extents(descriptor: int) -> Iterator[Extent]:
    """All of the file, in order, without gaps (lseek(2): SEEK_DATA, SEEK_HOLE).

    A file system without holes reports one extent of data.
    """
    size = os.fstat(descriptor).st_size
    at = 0
    while at < size:
        start = _next_data(descriptor, at, size)
        if start > at:
            yield Extent(at, start - at, data=False)
        if start < size:
            end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
            yield Extent(start, end - start, data=True)
            start = end
        at = start


def data_size(path: Path) -> int:
    """How many bytes of the file are data: the true amount of work for a copy or an upload."""
    with path.open("rb") as file:
        return sum(extent.length for extent in extents(file.fileno()) if extent.data)


def sha256_of(path: Path, watch: Watch = unwatched) -> str:
    """The SHA-256 (hex) of the content, as any other program computes it.

    Holes are not read; their zeroes are hashed from memory, which costs what hashing costs (about a second per GiB).
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        total = os.fstat(file.fileno()).st_size
        for extent in extents(file.fileno()):
            for start, length in _chunks(extent):
                digest.update(_read(file.fileno(), start, length) if extent.data else memoryview(_ZEROES)[:length])
                watch(start + length, total)
    return digest.hexdigest()


def copy_sparse(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """Copy what is data to a new file of the same size; holes stay holes.

    Raises NoSpace, FileExistsError; leaves no file behind then.
    """
    total = data_size(source)
    with full_disk(destination, total), source.open("rb", buffering=0) as old, _new_file(destination) as new:
        os.truncate(new, os.fstat(old.fileno()).st_size)
        _copy_data(old.fileno(), new, total, watch)


def clone(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """Another file with the same content: a reflink (shared blocks) where the file system can, else a sparse copy."""
    if not _reflink(source, destination):
        copy_sparse(source, destination, watch)


def share(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """As `clone`, and where blocks cannot be shared, another name of the same file (hard link).

    For files that nobody changes any more.
    """
    if _reflink(source, destination):
        return
    try:
        os.link(source, destination)
    except OSError as failure:
        if failure.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP}:
            raise
        copy_sparse(source, destination, watch)


def adopt(source: Path, destination: Path, watch: Watch = unwatched) -> None:
    """Move the file: at once and durable at `destination` (replacing what is there), gone from `source`.

    A rename on the same file system, else a reflink or sparse copy beside `destination` that is renamed when it is
    complete. Raises NoSpace.
    """
    _synchronise(source)
    try:
        source.replace(destination)
    except OSError as failure:
        if failure.errno != errno.EXDEV:
            raise
        _bring(source, destination, watch)
    _synchronise(destination.parent)


def _bring(source: Path, destination: Path, watch: Watch) -> None:
    """Move over file systems: the source goes when the copy is in place."""
    beside = destination.with_name(f".{destination.name}.{uuid4().hex[:8]}")
    try:
        clone(source, beside, watch)
        with full_disk(destination, data_size(source)):
            _synchronise(beside)
        beside.replace(destination)
    finally:
        beside.unlink(missing_ok=True)
    source.unlink()


def _next_data(descriptor: int, at: int, size: int) -> int:
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError as failure:
        if failure.errno == errno.ENXIO:  # only a hole follows
            return size
        raise


def _chunks(extent: Extent) -> Iterator[tuple[int, int]]:
    end = extent.start + extent.length
    return ((start, min(CHUNK, end - start)) for start in range(extent.start, end, CHUNK))


def _read(descriptor: int, start: int, length: int) -> bytes:
    """Exactly these bytes."""
    data = os.pread(descriptor, length, start)
    while len(data) < length:
        more = os.pread(descriptor, length - len(data), start + len(data))
        if not more:
            raise OSError(errno.EIO, "the file became shorter while it was read")
        data += more
    return data


@contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """A descriptor of a file that must not exist yet, and that is removed if the block fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        yield descriptor
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _copy_data(old: int, new: int, total: int, watch: Watch) -> None:
    done = 0
    for extent in extents(old):
        if extent.data:
            for start, length in _chunks(extent):
                _copy_range(old, new, start, length)
                done += length
                watch(done, total)


def _copy_range(old: int, new: int, start: int, length: int) -> None:
    """In the kernel where it can (copy_file_range(2)), else by reading and writing."""
    end = start + length
    with suppress(OSError):
        while start < end and (copied := os.copy_file_range(old, new, end - start, start, start)):
            start += copied
    while start < end:
        start += os.pwrite(new, _read(old, start, end - start), start)


def _reflink(source: Path, destination: Path) -> bool:
    """Whether `destination` now is a reflink of `source`."""
    try:
        with source.open("rb") as old, _new_file(destination) as new:
            fcntl.ioctl(new, _FICLONE, old.fileno())
    except OSError as failure:
        if failure.errno not in _NO_REFLINK:
            raise
        return False
    return True


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
