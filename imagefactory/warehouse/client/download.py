"""Fetching one body into a file: without its holes, checked, going on where it broke off."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from imagefactory.warehouse.client.exchange import PROBLEM, ClientRequest, Exchange, rubbish
from imagefactory.warehouse.client.receiving import IncomingResponse
from imagefactory.warehouse.store.incoming import Received
from imagefactory.warehouse.wire import CONTENT, DIGEST, EXTENTS, Frames

_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/\d{1,18}")


class Download:
    """One body, first to `path` with another name."""

    def __init__(self, exchange: Exchange, place: str, path: Path) -> None:
        self._exchange = exchange
        self._place = place
        self._where = f"GET {exchange.url}{place}"
        self._path = path
        self._partial = path.with_name(f".{path.name}.part")
        self._received: Received | None = None
        self._etag = ""
        self._digest = ""

    async def run(self) -> bool:
        """Fetch it; False if there is no body. What goes wrong leaves nothing behind."""
        try:
            return await self._exchange.waiting.until_done(self._attempt)
        finally:
            await self._discard()

    async def _attempt(self) -> bool:
        headers = {"Accept": f"{EXTENTS}, {PROBLEM}"}
        if self._etag and self._received is not None and self._received.size:
            headers = {"Accept": PROBLEM, "Range": f"bytes={self._received.size}-", "If-Range": self._etag}
        await self._exchange.once(ClientRequest("GET", self._place, {200, 206, 404, 416}, headers), self._take)
        if self._received is None:
            return False
        await self._finish(self._received)
        return True

    async def _take(self, arrival: IncomingResponse) -> None:
        if arrival.status == 206 and self._follows(arrival):
            assert self._received is not None
            await self._save(arrival, self._received)
            return
        await self._discard()
        if arrival.status == 200:
            self._etag = arrival.header("etag")
            content = arrival.header(CONTENT)
            self._digest = (content or arrival.header(DIGEST)).lower()
            self._received = await self._exchange.threads.run(self._begin, bool(content))
            await self._save(arrival, self._received)
            return
        await arrival.skip()
        if arrival.status != 404:
            raise rubbish("this is not the part that was asked for", self._where)

    def _follows(self, arrival: IncomingResponse) -> bool:
        found = _RANGE.match(arrival.header("content-range"))
        return self._received is not None and found is not None and int(found[1]) == self._received.size

    def _begin(self, content: bool) -> Received:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._partial.unlink(missing_ok=True)
        return Received("", self._partial, self._path, content=content, digesters=self._exchange.digesters)

    async def _save(self, arrival: IncomingResponse, received: Received) -> None:
        threads = self._exchange.threads
        if arrival.header("content-type") != EXTENTS:
            await arrival.save(received.write, threads)
            return
        frames = Frames(received.write, received.skip)
        await arrival.save(frames.feed, threads)
        if problem := frames.ended():
            await self._discard()
            raise rubbish(problem, self._where)

    async def _finish(self, received: Received) -> None:
        blob = await self._exchange.threads.run(received.finish)
        if self._digest and (blob.content or blob.sha256) != self._digest:
            await self._discard()
            raise rubbish("what arrived is not what is stored: the digest differs", self._where)
        await self._exchange.threads.run(received.place)
        self._received = None

    async def _discard(self) -> None:
        received, self._received = self._received, None
        if received is not None:
            with suppress(OSError):
                await self._exchange.threads.run(received.discard)
