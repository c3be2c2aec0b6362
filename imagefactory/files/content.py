"""A digest of a file's content that costs what its data costs, whatever its size.

SHA-256 of a sparse 40 GiB disk takes half a minute, nearly all of it for zeroes. To notice damage, and to know the same
content again, a digest over the blocks that are not zero says as much.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from imagefactory.files.holes import Watch, data_of, hash_zeroes, unwatched

BLOCK = 1 << 20
_ZEROES = bytes(BLOCK)


def content_of(path: Path, watch: Watch = unwatched) -> str:
    """SHA-256 (hex) over the size, and number and bytes of each block of 1 MiB that is not all zero.

    It is the same whether zeroes are holes or written. Blocks; raises what `watch` raises.
    """
    with path.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        reading = Content(size, data_of(descriptor), lambda at, length: os.pread(descriptor, length, at))
        for done in reading:
            watch(done, size)
    return reading.digest


class Reading(Protocol):
    """A digest in the making: each step of the iteration reads one block and tells where it begins."""

    @property
    def digest(self) -> str:
        """Of what was read so far."""
        ...

    def __iter__(self) -> Iterator[int]: ...


class Content:
    """The digest of `content_of` of anything that is read by offset and length: iterate, then it is in `digest`.

    Each step reads one block and tells where it begins; `parts` are the (offset, length) of what is data, in order.
    """

    def __init__(self, size: int, parts: Iterable[tuple[int, int]], read: Callable[[int, int], bytes]) -> None:
        self._hash = hashlib.sha256(size.to_bytes(8))
        self._parts = parts
        self._read = read

    @property
    def digest(self) -> str:
        """Of what was read so far."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[int]:
        for number in _blocks(self._parts):
            block = self._read(number * BLOCK, BLOCK)
            if block != _ZEROES[: len(block)]:
                self._hash.update(number.to_bytes(8))
                self._hash.update(block)
            yield number * BLOCK


class Whole:
    """The SHA-256 of all bytes, as any other program computes it; made and read as `Content`.

    Holes are hashed and not read.
    """

    def __init__(self, size: int, parts: Iterable[tuple[int, int]], read: Callable[[int, int], bytes]) -> None:
        self._hash = hashlib.sha256()
        self._size = size
        self._parts = parts
        self._read = read

    @property
    def digest(self) -> str:
        """Of what was read so far."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[int]:
        at = 0
        for start, length in (*self._parts, (self._size, 0)):
            for here in range(at, start, BLOCK):
                hash_zeroes(self._hash, min(BLOCK, start - here))
                yield here
            at = start + length
            for here in range(start, at, BLOCK):
                self._hash.update(self._read(here, min(BLOCK, at - here)))
                yield here


def _blocks(parts: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Numbers of the blocks that hold any data, in order."""
    following = 0
    for start, length in parts:
        first = max(start // BLOCK, following)
        following = max(following, -(-(start + length) // BLOCK))
        yield from range(first, following)
