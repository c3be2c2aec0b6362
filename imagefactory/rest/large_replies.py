"""Large answers, a piece at a time: no more of one is made or kept than its client takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request

from imagefactory.lib.concurrency.clock import sleep
from imagefactory.rest.stream import Stream

#: Bytes that are written at once; an answer that is not larger is written whole.
PIECE = 64 << 10


def pieces_of(body: bytes) -> Iterator[bytes]:
    """A body that is there, cut up."""
    return (body[start : start + PIECE] for start in range(0, len(body), PIECE))


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Small parts as pieces of a good size."""
    piece = bytearray()
    for part in parts:
        piece += part
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def whole(pieces: Iterator[bytes]) -> bytes | Iterator[bytes]:
    """The one piece, if there is no more than one; else all of them."""
    first, second = next(pieces, b""), next(pieces, None)
    return first if second is None else chain((first, second), pieces)


async def pour(request: Request, pieces: Iterable[bytes], clock: IReactorTime, patience: float) -> None:
    """Write them at the pace of the client, who is given up if it takes nothing for `patience` seconds."""
    stream = Stream(request, clock, patience, b"")
    stream.start()
    try:
        for piece in pieces:
            stream.send(piece)
            await stream.room()
            await sleep(clock, 0)  # others have their turn
    finally:
        stream.end()
