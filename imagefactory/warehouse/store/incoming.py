"""A body being written to a file: hashed on the way, zeros left out."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imagefactory.files.content import ContentDigest, Digest, WholeDigest, content_of
from imagefactory.files.durable import start_writing, synchronise
from imagefactory.files.holes import copy_data, reflink
from imagefactory.warehouse.store.blobs import Blob
from imagefactory.warehouse.store.database import plain_errors

BLOCK = 32 << 10
"""Aligned blocks of this size become holes when they are zero: any run of zeros of twice the size has one."""

PORTION = 512 << 10
"""Bytes that are written at once: a multiple of `BLOCK`."""

AHEAD = 32 << 20
"""Bytes after which the disk is given what there is: at the end there is less to wait for."""

READ_ONLY = 0o400
"""Images may hold secrets: nobody but the store's owner reads them here."""

ZEROS = bytes(BLOCK)
_WRITE = os.O_WRONLY | os.O_CLOEXEC
_digesters = ThreadPoolExecutor(os.cpu_count(), "digest")


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
    """An `Incoming` that is written piece by piece.

    Pieces are collected until there are `PORTION` bytes: enough to be worth two threads, one of which makes the digest
    while the other writes, and little enough to stay in the processor's cache meanwhile.
    """

    proven = True

    def __init__(self, id: str, path: Path, place: Path, *, content: bool = False) -> None:
        super().__init__(id, path, place)
        with plain_errors(path):
            self._fd = os.open(path, _WRITE | os.O_CREAT | os.O_EXCL, 0o600)
        self._content = content
        self._digest: Digest = ContentDigest() if content else WholeDigest()
        self._blob: Blob | None = None
        self._buffer = bytearray()
        self._filled = 0  # of the buffer
        self._written = 0  # up to here, holes included; a multiple of BLOCK until the end
        self._sent = 0  # up to here the disk was told of it

    @property
    def size(self) -> int:
        return self._written + self._filled

    def write(self, data: bytes) -> None:
        if len(self._buffer) < PORTION:
            self._buffer.extend(bytes(PORTION - len(self._buffer)))
        view = memoryview(data)
        while view:
            taken = view[: PORTION - self._filled]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            view = view[len(taken) :]
            if self._filled == PORTION:
                self._flush()

    def skip(self, length: int) -> None:
        fill = min(length, -self.size % BLOCK)
        if fill:
            self.write(ZEROS[:fill])
        self._flush()
        whole = (length - fill) - (length - fill) % BLOCK
        self._digest.skip(whole)
        self._written += whole
        if length > fill + whole:
            self.write(ZEROS[: length - fill - whole])

    def _flush(self) -> None:
        """Write the whole blocks of the buffer; what is left goes to its beginning."""
        whole = self._filled - self._filled % BLOCK
        if not whole:
            return
        with memoryview(self._buffer) as view, plain_errors(self._path):
            digesting = _digesters.submit(self._digest.update, view[:whole])
            try:
                self._write_blocks(view, whole)
            finally:
                digesting.result()
            self._buffer[: self._filled - whole] = self._buffer[whole : self._filled]
        self._filled -= whole
        self._written += whole
        if self._written - self._sent >= AHEAD:
            start_writing(self._fd, self._sent, self._written - self._sent)
            self._sent = self._written

    def _write_blocks(self, view: memoryview, whole: int) -> None:
        start = 0  # from here on nothing is written yet
        for at in range(0, whole, BLOCK):
            if self._buffer.startswith(ZEROS, at):
                self._write_at(view[start:at], self._written + start)
                start = at + BLOCK
        self._write_at(view[start:whole], self._written + start)

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
        self._flush()
        size = self.size
        with memoryview(self._buffer) as view, plain_errors(self._path):
            self._digest.update(view[: self._filled])
            self._write_at(view[: self._filled], self._written)
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
        self._flush()
        self._buffer = self._buffer[: self._filled]
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
