"""Lists on their way out: written piece by piece, so that a long one is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

_FEW = 3


@dataclass(frozen=True, slots=True)
class Pages:
    """A list of which the first piece is there; `next` blocks, and is None at the end."""

    first: bytes
    rest: Iterator[bytes]

    def next(self) -> bytes | None:
        """One more piece."""
        return next(self.rest, None)


def paged(pieces: Iterator[bytes]) -> bytes | Pages:
    """Pieces as one text, if there are only a few; a reply of known length then. Blocks."""
    first = b"".join(islice(pieces, _FEW))
    more = next(pieces, None)
    return first if more is None else Pages(first, chain([more], pieces))
