"""Answers that go on: at the pace of their reader, and never more in memory than a little."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.http import Request
from zope.interface import implementer

from imagefactory.jobs.interface import Unsubscribe
from imagefactory.lib.concurrency.clock import sleep
from imagefactory.lib.errors import Busy

T = TypeVar("T")
MOST_WAITING = 256 << 10
HEARTBEAT_SECONDS = 15.0


@implementer(IPushProducer)
class Stream:
    """One answer being written.

    A reader that takes nothing for `patience` seconds, or lets more than `MOST_WAITING` bytes pile up, is dropped.
    """

    def __init__(self, request: Request, clock: IReactorTime, patience: float, heartbeat: bytes) -> None:
        self._request = request
        self._clock = clock
        self._patience = patience
        self._heartbeat = heartbeat
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._impatience: IDelayedCall | None = None
        self._beat: IDelayedCall | None = None
        self._room: Deferred[None] | None = None

    def start(self) -> None:
        """Register for back-pressure, and beat."""
        self._request.registerProducer(self, True)
        self._request.write(self._heartbeat)
        self._schedule_beat()

    def end(self) -> None:
        """No more is written, no clock runs."""
        for call in (self._impatience, self._beat):
            if call is not None and call.active():
                call.cancel()
        if self._request.channel is not None:  # else the connection is gone, and the registration with it
            self._request.unregisterProducer()

    def send(self, data: bytes) -> None:
        """Write, now or when the reader has room."""
        if not self._paused:
            self._request.write(data)
            return
        self._waiting.append(data)
        self._size += len(data)
        if self._size > MOST_WAITING:
            self.drop()

    async def room(self) -> None:
        """Until the reader has taken what was sent."""
        if self._paused:
            self._room = Deferred()
            await self._room

    def drop(self) -> None:
        """End the connection without ceremony; whoever writes this stream is cancelled by that."""
        self._waiting.clear()
        self._size = 0
        if self._request.channel is not None:
            self._request.channel.forceAbortClient()

    def pauseProducing(self) -> None:
        """The reader is behind."""
        if not self._paused:
            self._paused = True
            self._impatience = self._clock.callLater(self._patience, self.drop)

    def resumeProducing(self) -> None:
        """The reader has room again."""
        self._paused = False
        if self._impatience is not None and self._impatience.active():
            self._impatience.cancel()
        while self._waiting and not self._paused:
            data = self._waiting.popleft()
            self._size -= len(data)
            self._request.write(data)
        if not self._paused and self._room is not None:
            room, self._room = self._room, None
            room.callback(None)

    def stopProducing(self) -> None:
        """The reader is gone; the request tells whoever writes."""

    def _schedule_beat(self) -> None:
        if self._heartbeat:
            self._beat = self._clock.callLater(HEARTBEAT_SECONDS, self._send_beat)

    def _send_beat(self) -> None:
        if not self._paused:
            self._request.write(self._heartbeat)
        self._schedule_beat()


class Streams:
    """Opens streams, at most `most` at a time."""

    def __init__(self, clock: IReactorTime, most: int, patience: float) -> None:
        self._clock = clock
        self._most = most
        self._patience = patience
        self.count = 0

    @asynccontextmanager
    async def open(self, request: Request, media: bytes, heartbeat: bytes = b"") -> AsyncIterator[Stream]:
        """Begin an answer of type `media`.

        Raises Busy.
        """
        if self.count >= self._most:
            raise Busy("too many streams are open", hint="close some, or poll")
        request.setHeader(b"Content-Type", media)
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        stream = Stream(request, self._clock, self._patience, heartbeat)
        self.count += 1
        stream.start()
        try:
            yield stream
        finally:
            self.count -= 1
            stream.end()


async def write_pieces(request: Request, pieces: Iterable[bytes], clock: IReactorTime, patience: float) -> None:
    """Write them at the pace of the client, which is dropped if it takes nothing for `patience` seconds."""
    stream = Stream(request, clock, patience, b"")
    stream.start()
    try:
        for piece in pieces:
            stream.send(piece)
            await stream.room()
            await sleep(clock, 0)  # others have their turn
    finally:
        stream.end()


async def follow(
    stream: Stream,
    after: int | None,
    *,
    fetch: Callable[[int], Awaitable[Sequence[T]]],
    subscribe: Callable[[Callable[[T], None]], Unsubscribe],
    number: Callable[[T], int],
    encode: Callable[[T], bytes],
    end: Callable[[], Awaitable[object]] | None,
) -> None:
    """Send what is remembered above number `after` (None: nothing of it), then what comes, until what `end()` answers.

    Without `end` only what is remembered. Nothing is lost or sent twice in between: what comes while the remembered
    is read is held back, and what is in both is known by its number.
    """
    reader = _Reader(stream, -1 if after is None else after, number, encode)
    unsubscribe = subscribe(reader.hear) if end is not None else _nothing
    try:
        if after is not None:
            await reader.read(fetch)
        reader.go_live()
        if end is not None:
            await end()
            await reader.read(fetch)
    finally:
        unsubscribe()


class _Reader(Generic[T]):
    """Where one follower stands."""

    HELD = 10_000

    def __init__(self, stream: Stream, last: int, number: Callable[[T], int], encode: Callable[[T], bytes]) -> None:
        self._stream = stream
        self._last = last
        self._number = number
        self._encode = encode
        self._held: deque[T] = deque(maxlen=self.HELD)
        self._live = False

    def hear(self, item: T) -> None:
        """It has just happened."""
        if self._live:
            self._send(item)
        else:
            self._held.append(item)

    async def read(self, fetch: Callable[[int], Awaitable[Sequence[T]]]) -> None:
        """Page by page at the reader's pace."""
        while page := await fetch(self._last):
            for item in page:
                self._send(item)
                await self._stream.room()

    def go_live(self) -> None:
        """Nothing remembered is missing any more."""
        self._live = True
        while self._held:
            self._send(self._held.popleft())

    def _send(self, item: T) -> None:
        if self._number(item) > self._last:
            self._last = self._number(item)
            self._stream.send(self._encode(item))


def _nothing() -> None:
    pass
