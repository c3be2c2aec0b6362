"""Responses that are written over time: at the pace of their client, with a bounded buffer."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredQueue
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.web.http import Request
from zope.interface import implementer

from imagefactory.jobs.interface import Unsubscribe
from imagefactory.lib.concurrency.clock import sleep
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import Busy

T = TypeVar("T")
#: Bytes that wait for a client before it is dropped.
BUFFER_LIMIT = 256 << 10
#: Seconds between two heartbeats.
HEARTBEAT_SECONDS = 15.0


@implementer(IPushProducer)
class Stream:
    """One response being written.

    Args:
        timeout: seconds in which the client has to take something; else, and if more than `BUFFER_LIMIT` bytes wait for
            it, its connection is aborted.
        heartbeat: written every `HEARTBEAT_SECONDS`; empty for none.
    """

    def __init__(self, request: Request, clock: IReactorTime, timeout: float, heartbeat: bytes) -> None:
        self._request = request
        self._clock = clock
        self._timeout = timeout
        self._heartbeat = heartbeat
        self._buffer: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._stalled: IDelayedCall | None = None
        self._next_heartbeat: IDelayedCall | None = None
        self._drained: Deferred[None] | None = None

    def start(self) -> None:
        """Register for back-pressure and begin the heartbeat."""
        self._request.registerProducer(self, True)
        self._request.write(self._heartbeat)
        self._schedule_heartbeat()

    def end(self) -> None:
        """Stop the timers and the back-pressure; nothing is written afterwards."""
        for call in (self._stalled, self._next_heartbeat):
            if call is not None and call.active():
                call.cancel()
        if self._request.channel is not None:  # else the connection is gone, and the registration with it
            self._request.unregisterProducer()

    def send(self, data: bytes) -> None:
        """Write now, or once the client has taken what was written before."""
        if not self._paused:
            self._request.write(data)
            return
        self._buffer.append(data)
        self._size += len(data)
        if self._size > BUFFER_LIMIT:
            self.abort()

    async def drained(self) -> None:
        """Wait until the client has taken what was sent."""
        if self._paused:
            self._drained = Deferred()
            await self._drained

    def abort(self) -> None:
        """Close the connection at once, which cancels the handler that writes this stream."""
        self._buffer.clear()
        self._size = 0
        if self._request.channel is not None:
            self._request.channel.forceAbortClient()

    def pauseProducing(self) -> None:
        """See IPushProducer: the client takes no more for now."""
        if not self._paused:
            self._paused = True
            self._stalled = self._clock.callLater(self._timeout, self.abort)

    def resumeProducing(self) -> None:
        """See IPushProducer: the client takes more."""
        self._paused = False
        if self._stalled is not None and self._stalled.active():
            self._stalled.cancel()
        while self._buffer and not self._paused:
            data = self._buffer.popleft()
            self._size -= len(data)
            self._request.write(data)
        if not self._paused and self._drained is not None:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def stopProducing(self) -> None:
        """See IPushProducer: the connection is lost, which cancels the handler by way of the request."""

    def _schedule_heartbeat(self) -> None:
        if self._heartbeat:
            self._next_heartbeat = self._clock.callLater(HEARTBEAT_SECONDS, self._send_heartbeat)

    def _send_heartbeat(self) -> None:
        if not self._paused:
            self._request.write(self._heartbeat)
        self._schedule_heartbeat()


class Streams:
    """Opens streams, at most `most` at a time; `timeout` is that of `Stream`."""

    def __init__(self, clock: IReactorTime, most: int, timeout: float) -> None:
        self._clock = clock
        self._most = most
        self._timeout = timeout
        self.count = 0

    @asynccontextmanager
    async def open(self, request: Request, media: bytes, heartbeat: bytes = b"") -> AsyncIterator[Stream]:
        """Begin a response of the content type `media`; the stream ends with the context.

        Raises:
            Busy: as many are open as may be.
        """
        if self.count >= self._most:
            raise Busy("too many streams are open", hint="close some, or poll")
        request.setHeader(b"Content-Type", media)
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        stream = Stream(request, self._clock, self._timeout, heartbeat)
        self.count += 1
        stream.start()
        try:
            yield stream
        finally:
            self.count -= 1
            stream.end()


async def write_pieces(request: Request, pieces: Iterable[bytes], clock: IReactorTime, timeout: float) -> None:
    """Write `pieces` at the pace of the client, which has to take something every `timeout` seconds."""
    stream = Stream(request, clock, timeout, b"")
    stream.start()
    try:
        for piece in pieces:
            stream.send(piece)
            await stream.drained()
            await sleep(clock, 0)  # one piece per reactor turn
    finally:
        stream.end()


async def follow(
    stream: Stream,
    after: int | None,
    *,
    fetch: Callable[[int], Awaitable[Sequence[T]]],
    subscribe: Callable[[Callable[[T], None]], Unsubscribe],
    number: Callable[[T], int],
    encode: Callable[[T], Awaitable[bytes]],
    end: Callable[[], Awaitable[object]] | None,
) -> None:
    """Send stored items, then new ones as they come, without a gap and none twice.

    New items that come while the stored ones are read wait in a queue; what is in both is known by its number.

    Args:
        after: send the stored items above this number (None: no stored ones).
        fetch: returns the stored items above a number, a page of them; an empty page is the end.
        subscribe: calls a listener with each new item, until the function that it returns is called.
        number: returns the number of an item; numbers grow.
        encode: returns an item as it is sent.
        end: new items are sent until its result comes (None: stored ones only).
    """
    follower = _Follower(stream, -1 if after is None else after, number, encode)
    unsubscribe = subscribe(follower.add) if end is not None else _nothing
    try:
        if after is not None:
            await follower.send_stored(fetch)
        if end is not None:
            sending = Task(follower.send_new())
            try:
                await end()
            finally:
                sending.cancel()
                await sending.settled()
            await follower.send_stored(fetch)
    finally:
        unsubscribe()


class _Follower(Generic[T]):
    """The items that one client was sent; at most `QUEUE_LENGTH` new ones wait to be sent, the oldest is dropped."""

    QUEUE_LENGTH = 10_000
    _log = Logger()

    def __init__(
        self, stream: Stream, last: int, number: Callable[[T], int], encode: Callable[[T], Awaitable[bytes]]
    ) -> None:
        self._stream = stream
        self._last = last
        self._number = number
        self._encode = encode
        self._new: DeferredQueue[T] = DeferredQueue()

    def add(self, item: T) -> None:
        """Send a new item, once those before it are sent."""
        if len(self._new.pending) >= self.QUEUE_LENGTH:
            self._new.pending.pop(0)
        self._new.put(item)

    async def send_stored(self, fetch: Callable[[int], Awaitable[Sequence[T]]]) -> None:
        """Send page by page, at the pace of the client."""
        while page := await fetch(self._last):
            for item in page:
                await self._send(item)
                await self._stream.drained()

    async def send_new(self) -> None:
        """Send new items as they come, until it is cancelled; a failure closes the connection."""
        try:
            while True:
                await self._send(await self._new.get())
        except CancelledError:
            raise
        except Exception:
            self._log.failure("a stream cannot go on")
            self._stream.abort()

    async def _send(self, item: T) -> None:
        if self._number(item) > self._last:
            self._last = self._number(item)
            self._stream.send(await self._encode(item))


def _nothing() -> None:
    pass
