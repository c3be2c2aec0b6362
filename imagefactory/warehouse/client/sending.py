"""A body on its way to the warehouse: read in a thread, one block ahead, as fast as the other side takes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Conflict, NotFound
from imagefactory.lib.files.content import ContentDigest, content_of_open
from imagefactory.lib.files.holes import data_of
from imagefactory.lib.twisted_private.http import abort_request
from imagefactory.warehouse.pace import Paced
from imagefactory.warehouse.wire import FRAME, Piece

BLOCK = 256 << 10
"""Larger ones cost Twisted's TLS twice the processor time."""


@dataclass(frozen=True, slots=True)
class BodySource:
    """What to send: pieces in memory, and (offset, length) of an open file of `size` bytes."""

    pieces: tuple[Piece, ...]
    size: int
    descriptor: int = -1

    @property
    def length(self) -> int:
        """How many bytes go over the wire."""
        return sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in self.pieces)

    def rest(self, offset: int) -> BodySource:
        """The file itself from `offset` on."""
        return replace(self, pieces=((offset, self.size - offset),))

    def framed(self) -> BodySource | None:
        """The file without its holes, for a server of ours; None if it has none worth leaving out. Blocks."""
        data = data_of(self.descriptor)
        if sum(length for _, length in data) + FRAME.size * (len(data) + 1) > self.size - BLOCK:
            return None
        pieces: list[Piece] = []
        for start, length in data:
            pieces += [FRAME.pack(start, length), (start, length)]
        return replace(self, pieces=(*pieces, FRAME.pack(self.size, 0)))

    def content(self) -> str:
        """The digest of all of it that costs nothing for holes. Blocks."""
        if self.descriptor >= 0:
            return content_of_open(self.descriptor)
        digest = ContentDigest()
        for piece in self.pieces:
            digest.update(self.read(piece))
        return digest.hexdigest()

    def blocks(self) -> Iterator[Piece]:
        """The pieces, those of the file cut to blocks."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            start, length = piece
            for at in range(start, start + length, BLOCK):
                yield at, min(BLOCK, start + length - at)

    def read(self, block: Piece) -> bytes:
        """The bytes of one block. Blocks."""
        if isinstance(block, bytes):
            return block
        data = os.pread(self.descriptor, block[1], block[0])
        if len(data) < block[1]:
            raise Conflict("the file became shorter while it was sent", hint="nobody may change it: store it again")
        return data


def in_memory(data: bytes) -> BodySource:
    """These bytes."""
    return BodySource((data,) if data else (), len(data))


@contextmanager
def opened(path: Path) -> Iterator[BodySource]:
    """The whole of a file, which stays the same when its name goes. Opening blocks; NotFound."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound("the file to store is not there", where=str(path)) from None
    try:
        size = os.fstat(descriptor).st_size
        yield BodySource(((0, size),), size, descriptor)
    finally:
        os.close(descriptor)


@implementer(IBodyProducer)
class Sending(Paced):
    """One attempt to send a source; `moved` is called whenever the other side has taken something."""

    def __init__(self, source: BodySource, threads: Threads, moved: Callable[[], None]) -> None:
        super().__init__()
        self.length = source.length
        self._source = source
        self._threads = threads
        self._moved = moved
        self._task: Task[None] | None = None
        self._consumer: IConsumer | None = None  # while not everything is sent

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """See `IBodyProducer`: the Deferred never fires once it was stopped."""
        self._consumer = consumer
        done: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._task = Task(self._send(consumer))

        def end(outcome: Failure | None) -> None:
            if not self._stopped and not done.called:
                done.callback(outcome)

        self._task.ended.wait().addBoth(end)
        return done

    async def _send(self, consumer: IConsumer) -> None:
        blocks = self._source.blocks()
        ahead = self._ahead(next(blocks, None))
        while ahead is not None:
            data = await ahead
            ahead = self._ahead(next(blocks, None))
            if self._paused is not None:
                await self._paused
            if self._stopped:
                if ahead is not None:
                    await ahead.settled()
                return
            consumer.write(data)
            self._moved()
        self._consumer = None

    def _ahead(self, block: Piece | None) -> Task[bytes] | None:
        return None if block is None else Task(self._threads.run(self._source.read, block))

    async def settled(self) -> None:
        """Wait until everything is sent, or the other side takes no more of it."""
        interruption = None if self._task is None else await self._task.settled(on_cancel=self.stopProducing)
        if interruption is not None:
            raise interruption

    async def ended(self) -> None:
        """Stop if need be, and wait until no thread reads any more.

        A connection over which not everything went is good for nothing, and would stay as long as the other side does
        not read: Twisted wants to write what it was given before it closes.
        """
        self.stopProducing()
        await self.settled()
        abort_request(self._consumer)
