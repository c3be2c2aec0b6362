"""What all long replies have in common: they go out as fast as the client takes them, and not for ever."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.web.http import Request
from zope.interface import implementer

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.warehouse.pace import Paced
from imagefactory.warehouse.server.pages import Pages

STALLED = 300
"""Seconds that a client may take nothing of a reply before it is given up."""


@implementer(IPushProducer)
class Sender(Paced):
    """One reply to one request."""

    def __init__(self, request: Request, clock: Clock) -> None:
        super().__init__()
        self._request = request
        self._clock = clock

    async def send(self) -> bool:
        """Send all; False if the client went away, or the reply could not be ended (then the connection is broken)."""
        self._request.registerProducer(self, True)
        try:
            return await self._send()
        finally:
            if self._request.channel is not None:  # still connected
                self._request.unregisterProducer()
            await self._ended()

    async def _send(self) -> bool:
        raise NotImplementedError

    async def _ended(self) -> None:
        """Nothing is sent any more."""

    async def _ready(self) -> bool:
        """Wait until the client takes more; False if it is gone, or took nothing for too long."""
        if self._paused is not None:
            try:
                await timeout(self._clock, STALLED, self._paused)
            except TimeoutError:
                self._stopped = True
                self._break_off()
        return not self._stopped

    def _break_off(self) -> None:
        if self._request.channel is not None:
            self._request.channel.forceAbortClient()


class PagesSender(Sender):
    """Sends a list, each piece written in a thread while the one before is on its way."""

    def __init__(self, request: Request, pages: Pages, threads: Threads, clock: Clock) -> None:
        super().__init__(request, clock)
        self._pages = pages
        self._threads = threads

    async def _send(self) -> bool:
        data: bytes | None = self._pages.first
        try:
            while data is not None:
                ahead = Task(self._threads.run(self._pages.next))
                ready = await self._ready()
                if ready:
                    self._request.write(data)
                await ahead.settled()
                if not ready:
                    return False
                data = await ahead
        except BaseException:
            self._break_off()  # the status was sent long ago: only this tells the client
            raise
        return True
