"""Digests of a file's content, made as it is read or as it comes; and one that costs what its data costs, whatever its
size.

SHA-256 of a sparse 40 GiB disk takes half a minute, nearly all of it for zeroes. To notice damage, and to know the same
content again, a digest over the blocks that are not zero says as much.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from imagefactory.lib.files.holes import Watch, data_of, unwatched

BLOCK = 1 << 20
_HOLE = 64 * BLOCK  # zeroes that are done in one step
_ZEROES = bytes(BLOCK)


def content_of(path: Path, watch: Watch = unwatched) -> str:
    """Returns the `ContentDigest` of a file. Blocks; raises what `watch` raises."""
    with path.open("rb", buffering=0) as file:
        return content_of_open(file.fileno(), watch)


def content_of_open(descriptor: int, watch: Watch = unwatched) -> str:
    """As `content_of`."""
    size = os.fstat(descriptor).st_size
    reading = Reading(ContentDigest(), size, data_of(descriptor), lambda at, length: os.pread(descriptor, length, at))
    for done in reading:
        watch(done, size)
    return reading.digest


class Digest(Protocol):
    """A digest of content that is added in order."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Add a part."""

    def skip(self, length: int, /) -> None:
        """Add zeroes."""

    def hexdigest(self) -> str:
        """Returns the digest of what was added so far."""
        ...


class WholeDigest:
    """The SHA-256 of all bytes, as any other program computes it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, data: bytes | memoryview, /) -> None:
        """Add a part."""
        self._hash.update(data)

    def skip(self, length: int, /) -> None:
        """Add zeroes: these are hashed from memory, about a second per GiB."""
        _hash_zeroes(self._hash, length)

    def hexdigest(self) -> str:
        """Returns the digest of what was added so far."""
        return self._hash.hexdigest()


class ContentDigest:
    """SHA-256 over number and bytes of each block of 1 MiB that is not all zero, and the size.

    It is the same whether zeroes are holes or written. Numbers and size are 8 bytes, big-endian.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._at = 0
        self._begun = False  # something of the current block is not zero, and all of it so far is hashed

    def update(self, data: bytes | memoryview, /) -> None:
        """Add a part."""
        view = memoryview(data)
        while view:
            piece = view[: BLOCK - self._at % BLOCK]
            if self._begun or not _is_zero(piece):
                self._begin()
                self._hash.update(piece)
            self._move(len(piece))
            view = view[len(piece) :]

    def skip(self, length: int, /) -> None:
        """Add zeroes."""
        if self._begun:
            rest = min(length, BLOCK - self._at % BLOCK)
            _hash_zeroes(self._hash, rest)
            self._move(rest)
            length -= rest
        self._at += length

    def hexdigest(self) -> str:
        """Returns the digest of what was added so far."""
        hashed = self._hash.copy()
        hashed.update(self._at.to_bytes(8))
        return hashed.hexdigest()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._hash.update((self._at // BLOCK).to_bytes(8))
            _hash_zeroes(self._hash, self._at % BLOCK)

    def _move(self, length: int) -> None:
        self._at += length
        if self._at % BLOCK == 0:
            self._begun = False


class Reading:
    """Computes the digest of what is read by offset and length: iterate, then it is in `digest`.

    Each step reads at most one block, or skips some zeroes, and yields where that begins; `parts` are the
    (offset, length) of what is data, in order.
    """

    def __init__(
        self, digest: Digest, size: int, parts: Iterable[tuple[int, int]], read: Callable[[int, int], bytes]
    ) -> None:
        self._digest = digest
        self._size = size
        self._parts = parts
        self._read = read

    @property
    def digest(self) -> str:
        """The digest of what was read so far."""
        return self._digest.hexdigest()

    def whole(self) -> str:
        """Read all of it; returns the digest. Blocks."""
        deque(self, maxlen=0)
        return self.digest

    def __iter__(self) -> Iterator[int]:
        at = 0
        for start, length in (*self._parts, (self._size, 0)):
            for here, size in _steps(at, start, _HOLE):
                self._digest.skip(size)
                yield here
            at = start + length
            for here, size in _steps(start, at):
                self._digest.update(self._read(here, size))
                yield here


def _steps(start: int, end: int, most: int = BLOCK) -> Iterator[tuple[int, int]]:
    return ((at, min(most, end - at)) for at in range(start, end, most))


def _is_zero(piece: memoryview) -> bool:
    return piece[0] == 0 and piece.tobytes() == _ZEROES[: len(piece)]


def _hash_zeroes(hashed: hashlib._Hash, length: int) -> None:
    for _, size in _steps(0, length):
        hashed.update(memoryview(_ZEROES)[:size])
