"""Sending a stored body: read in a thread, one block ahead, as fast as the client takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.web.http import Request

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.files.content import Digest
from imagefactory.warehouse.server.content import Content
from imagefactory.warehouse.server.sending import Sender
from imagefactory.warehouse.store.trust import digest_of
from imagefactory.warehouse.wire import Piece

if TYPE_CHECKING:
    from imagefactory.warehouse.server.application import Application

BLOCK = 1 << 20
TLS_BLOCK = 256 << 10  # larger ones cost Twisted's TLS twice the processor time
_AT_ONCE = 4  # blocks of one download: read ahead, held back, in two buffers of the connection

_log = Logger()


class ContentSender(Sender):
    """One body to one request.

    A body that is sent whole, its holes left out or not, is hashed on the way, unless it was so not long ago. Its last
    block is held back until the digest is right: a client never gets all of a damaged body, but sees the connection
    break, and the damage is noted.
    """

    def __init__(self, request: Request, content: Content, app: Application) -> None:
        super().__init__(request, app.clock)
        self._content = content
        self._store = app.store
        self._threads = app.bulk
        self._budget = app.downloads
        self._budget.join()
        self._digest, self._wanted = self._doubt()
        self._at = 0  # up to here it is in the digest
        self._short = False

    async def _ended(self) -> None:
        self._budget.leave()
        await self._threads.run(self._content.reader.close)

    async def _send(self) -> bool:
        blocks = self._content.blocks(self._block_size)
        block = next(blocks, None)
        ahead = self._ahead(block)
        while ahead is not None:
            data = await ahead
            block = next(blocks, None)
            ahead = self._ahead(block)
            if self._short or (block is None and not await self._threads.run(self._is_right)):
                await self._settle(ahead)
                await self._damaged()
                return False
            if not await self._ready():
                await self._settle(ahead)
                return False
            self._request.write(data)
        return True

    def _block_size(self) -> int:
        most = TLS_BLOCK if self._request.isSecure() else BLOCK
        return self._budget.share(most * _AT_ONCE) // _AT_ONCE

    def _ahead(self, block: Piece | None) -> Task[bytes] | None:
        return None if block is None else Task(self._threads.run(self._read, block))

    async def _settle(self, ahead: Task[bytes] | None) -> None:
        if ahead is not None:
            await ahead.settled()

    def _read(self, block: Piece) -> bytes:
        if isinstance(block, bytes):
            return block
        data = self._content.reader.read(*block)
        self._short = self._short or len(data) < block[1]
        if self._digest is not None:
            self._digest.skip(block[0] - self._at)
            self._digest.update(data)
            self._at = block[0] + len(data)
        return data

    def _doubt(self) -> tuple[Digest | None, str]:
        """What to compute, and what it has to be; nothing for what was right not long ago, and for parts."""
        blob = self._content.stored.blob
        if not self._content.whole or blob is None or self._store.trust.holds(blob, self._content.reader):
            return None, ""
        return digest_of(blob)

    def _is_right(self) -> bool:
        """Whether the digest of all that was read is that of what was stored. Blocks."""
        blob = self._content.stored.blob
        if self._digest is None or blob is None:
            return True
        self._digest.skip(self._content.reader.size - self._at)
        if self._digest.hexdigest() != self._wanted:
            return False
        self._store.trust.add(blob, self._content.reader)
        return True

    async def _damaged(self) -> None:
        stored = self._content.stored
        assert stored.blob is not None
        _log.error("the body of {stored.bucket}/{stored.key} (blob {stored.blob.id}) is damaged", stored=stored)
        await self._threads.run(self._store.mark_damaged, stored.blob.id)
        self._break_off()
