"""A digest of a file's content that costs what its data costs, whatever its size.

SHA-256 of a sparse 40 GiB disk takes half a minute, nearly all of it for zeroes. To notice damage, a digest over the
blocks that are not zero says as much.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from imagefactory.files.holes import Watch, extents, unwatched

BLOCK = 1 << 20
_ZEROES = bytes(BLOCK)


def content_of(path: Path, watch: Watch = unwatched) -> str:
    """SHA-256 (hex) over the size, and number and bytes of each block of 1 MiB that is not all zero.

    It is the same whether zeroes are holes or written. Blocks; raises what `watch` raises.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(size.to_bytes(8))
        for number in _blocks(file.fileno()):
            block = os.pread(file.fileno(), BLOCK, number * BLOCK)
            if block != _ZEROES[: len(block)]:
                digest.update(number.to_bytes(8))
                digest.update(block)
            watch(number * BLOCK, size)
    return digest.hexdigest()


def _blocks(descriptor: int) -> Iterator[int]:
    """Numbers of the blocks that hold any data, in order."""
    following = 0
    for extent in extents(descriptor):
        if extent.data:
            first = max(extent.start // BLOCK, following)
            following = max(following, -(-(extent.start + extent.length) // BLOCK))
            yield from range(first, following)
