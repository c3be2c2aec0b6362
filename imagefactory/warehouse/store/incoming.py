"""A body being written to a file: hashed on the way, zeros left out."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from pathlib import Path

from imagefactory.lib.files.content import ContentDigest, Digest, WholeDigest, content_of
from imagefactory.lib.files.durable import start_writing, synchronise
from imagefactory.lib.files.holes import copy_data, reflink
from imagefactory.warehouse.store.blobs import Blob
from imagefactory.warehouse.store.database import plain_errors

BLOCK = 32 << 10
"""Aligned blocks of this size become holes when they are zero: any run of zeros of twice the size has one."""

_LARGE = 128 << 10  # bytes that are worth a second thread

AHEAD = 32 << 20
"""Bytes after which the disk is given what there is: at the end there is less to wait for."""

READ_ONLY = 0o400
"""Images may hold secrets: only the store's owner may read them here."""

ZEROS = bytes(BLOCK)
_WRITE = os.O_WRONLY | os.O_CLOEXEC


class _File:
    """What all incoming files have in common: a temporary path, and a place to go to."""

    proven = False

    def __init__(self, id: str, path: Path, place: Path) -> None:
        self._id = id
        self._path = path
        self._place = place

    def place(self) -> None:
        new = not self._place.parent.exists()
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._path.rename(self._place)
        synchronise(self._place.parent)
        if new:
            synchronise(self._place.parent.parent)
            synchronise(self._place.parent.parent.parent)

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)


class Received(_File):
    """An `Incoming` that is written piece by piece; large pieces are written while one of `digesters` digests them."""

    proven = True

    def __init__(
        self, id: str, path: Path, place: Path, *, content: bool = False, digesters: Executor | None = None
    ) -> None:
        super().__init__(id, path, place)
        with plain_errors(path):
            self._fd = os.open(path, _WRITE | os.O_CREAT | os.O_EXCL, 0o600)
        self._content = content
        self._digesters = digesters
        self._digest: Digest = ContentDigest() if content else WholeDigest()
        self._blob: Blob | None = None
        self._rest = b""  # less than a block, not yet written
        self._written = 0  # up to here, holes included; a multiple of BLOCK until the end
        self._begun = 0  # up to here the disk was told of it

    @property
    def size(self) -> int:
        return self._written + len(self._rest)

    def write(self, data: bytes) -> None:
        start = 0
        if self._rest:
            start = min(len(data), BLOCK - len(self._rest))
            self._rest += data[:start]
            if len(self._rest) < BLOCK:
                return
            self._write_whole(self._rest, 0, BLOCK)
        end = len(data) - (len(data) - start) % BLOCK
        self._write_whole(data, start, end)
        self._rest = data[end:]

    def skip(self, length: int) -> None:
        fill = min(length, -self.size % BLOCK)
        if fill:
            self.write(ZEROS[:fill])
        whole = (length - fill) - (length - fill) % BLOCK
        self._digest.skip(whole)
        self._written += whole
        if length > fill + whole:
            self.write(ZEROS[: length - fill - whole])

    def _write_whole(self, data: bytes, start: int, end: int) -> None:
        """Whole blocks."""
        if start == end:
            return
        view = memoryview(data)[start:end]
        if len(view) < _LARGE or self._digesters is None:
            self._digest.update(view)
            self._write_blocks(data, start, end)
        else:
            digesting = self._digesters.submit(self._digest.update, view)
            try:
                self._write_blocks(data, start, end)
            finally:
                digesting.result()
        self._written += end - start
        if self._written - self._begun >= AHEAD:
            start_writing(self._fd, self._begun, self._written - self._begun)
            self._begun = self._written

    def _write_blocks(self, data: bytes, start: int, end: int) -> None:
        view, done = memoryview(data), start  # up to here it is written
        place = self._written - start
        with plain_errors(self._path):
            for at in range(start, end, BLOCK):
                if data.startswith(ZEROS, at):
                    self._write_at(view[done:at], place + done)
                    done = at + BLOCK
            self._write_at(view[done:end], place + done)

    def _write_at(self, data: memoryview, offset: int) -> None:
        self._go_on()
        while data:
            wrote = os.pwrite(self._fd, data, offset)
            data, offset = data[wrote:], offset + wrote

    def finish(self) -> Blob:
        if self._blob is None:
            self._blob = self._finish()
        return self._blob

    def _finish(self) -> Blob:
        size = self.size
        self._digest.update(self._rest)
        with plain_errors(self._path):
            self._write_at(memoryview(self._rest), self._written)
            self._go_on()
            os.ftruncate(self._fd, size)
            os.fchmod(self._fd, READ_ONLY)
            os.fsync(self._fd)
        allocated = os.fstat(self._fd).st_blocks * 512
        self._close()
        digest = self._digest.hexdigest()
        if self._content:
            return Blob(self._id, "", size, allocated, content=digest)
        return Blob(self._id, digest, size, allocated)

    def rest(self) -> None:
        self._close()

    def discard(self) -> None:
        self._close()
        super().discard()

    def _go_on(self) -> None:
        if self._fd < 0:
            self._fd = os.open(self._path, _WRITE)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Adopted(_File):
    """An `Incoming` that was a file already.

    A hard link costs nothing and leaves the original alone; where there can be none (another file system, another
    owner) the blocks are shared or copied.
    """

    def __init__(self, id: str, path: Path, place: Path, source: Path, content: str) -> None:
        super().__init__(id, path, place)
        with plain_errors(path):
            try:
                if not self._link(source):
                    self._copy(source)
                self._finish(content)
            except BaseException:
                self.discard()
                raise

    def finish(self) -> Blob:
        return self._blob

    def _link(self, source: Path) -> bool:
        if source.stat().st_uid != os.geteuid():
            return False
        try:
            os.link(source, self._path, follow_symlinks=True)
        except OSError:
            return False
        return True

    def _copy(self, source: Path) -> None:
        with source.open("rb") as old, self._path.open("xb") as new:
            if not reflink(old.fileno(), new.fileno()):
                copy_data(old.fileno(), new.fileno())

    def _finish(self, content: str) -> None:
        self._path.chmod(READ_ONLY)
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
            status = os.fstat(file.fileno())
        known = content or content_of(self._path)
        self._blob = Blob(self._id, "", status.st_size, status.st_blocks * 512, content=known)
