"""A warehouse that is reached over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256 as hashed
from pathlib import Path

from imagefactory.lib.concurrency.parallel import in_parallel
from imagefactory.lib.errors import TooLarge
from imagefactory.warehouse import names
from imagefactory.warehouse.client import buckets
from imagefactory.warehouse.client.buckets import path as place
from imagefactory.warehouse.client.dialect import Dialect
from imagefactory.warehouse.client.download import Download
from imagefactory.warehouse.client.exchange import QUICK, ClientRequest, Exchange, rubbish
from imagefactory.warehouse.client.iwhd import IwhdDialect
from imagefactory.warehouse.client.ours import OwnDialect
from imagefactory.warehouse.client.receiving import IncomingResponse
from imagefactory.warehouse.client.sending import in_memory, opened
from imagefactory.warehouse.query import parse
from imagefactory.warehouse.wire import CONTENT, DIGEST


async def _nothing() -> None:
    pass


class RemoteWarehouse:
    """A `Warehouse`; see there for what the methods do.

    All of them wait for a warehouse that is down (see `Waiting`) and raise Unavailable in the end; also Unauthorized.
    `master`: what is there is a copy of what we have, see `IwhdDialect`.
    """

    def __init__(
        self, exchange: Exchange, close: Callable[[], Awaitable[None]] = _nothing, *, master: bool = False
    ) -> None:
        self._exchange = exchange
        self._close = close
        self._ours = OwnDialect(exchange)
        self._iwhd = IwhdDialect(exchange, master=master)

    @property
    def url(self) -> str:
        """Where it is."""
        return self._exchange.url

    async def close(self) -> None:
        """Let go of all connections."""
        await self._close()

    async def create_bucket(self, bucket: str) -> bool:
        names.check_bucket(bucket)
        return await buckets.create(self._exchange, bucket)

    async def put(self, bucket: str, key: str, body: bytes | None, attributes: Mapping[str, str]) -> None:
        if body is None:
            await self.set_attributes(bucket, key, attributes)
            return
        _check(bucket, key, attributes)
        await (await self._dialect()).send(bucket, key, in_memory(body), attributes, {})

    async def adopt(
        self,
        bucket: str,
        key: str,
        path: Path,
        attributes: Mapping[str, str],
        *,
        content: str = "",
        keep: bool = False,
    ) -> None:
        await self.send(bucket, key, path, attributes, {CONTENT: content} if content else {})
        if not keep:
            await self._exchange.threads.run(path.unlink, missing_ok=True)

    async def send(
        self, bucket: str, key: str, path: Path, attributes: Mapping[str, str], digest: Mapping[str, str]
    ) -> None:
        """As `adopt`, but the file stays; `digest` is the header that tells of it, if that is known."""
        _check(bucket, key, attributes)
        with ExitStack() as stack:
            body = await self._exchange.threads.run(stack.enter_context, opened(path))
            await (await self._dialect()).send(bucket, key, body, attributes, digest)

    async def set_attributes(
        self,
        bucket: str,
        key: str,
        attributes: Mapping[str, str | None],
        *,
        expected: Mapping[str, str | None] | None = None,
    ) -> None:
        _check(bucket, key, attributes)
        await (await self._dialect()).annotate(bucket, key, attributes, expected or {})

    async def attributes(self, bucket: str, key: str) -> dict[str, str] | None:
        _check(bucket, key)
        return await (await self._dialect()).attributes(bucket, key)

    async def several(self, bucket: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        found = await in_parallel(lambda key: self.attributes(bucket, key), keys)
        return {key: attributes for key, attributes in zip(keys, found, strict=True) if attributes}

    async def body(self, bucket: str, key: str, *, limit: int = 16 << 20) -> bytes | None:
        _check(bucket, key)
        ask = ClientRequest("GET", place(bucket, key), {200, 404})
        where = f"{ask.method} {self.url}{ask.path}"

        async def take(arrival: IncomingResponse) -> bytes | None:
            if arrival.status == 404:
                await arrival.skip()
                return None
            if arrival.length is not None and arrival.length > limit:
                await arrival.skip()
                raise TooLarge(f"the body has {arrival.length} bytes, {limit} are allowed", where=where)
            data = await arrival.read(limit)
            wanted = arrival.header(DIGEST)
            if wanted and await self._exchange.threads.run(_sha256, data) != wanted.lower():
                raise rubbish("what arrived is not what is stored: the SHA-256 differs", where)
            return data

        return await self._exchange.call(ask, take)

    async def local(self, bucket: str, key: str, workspace: Path) -> Path | None:
        _check(bucket, key)
        path = workspace / key
        return path if await Download(self._exchange, place(bucket, key), path).run() else None

    async def has(self, bucket: str, key: str, sha256: str) -> bool:
        """Whether there is a body with this digest; an iwhd, which knows no digests, is asked for the object only."""
        _check(bucket, key)
        if await self._dialect() is not self._ours:
            return await self.attributes(bucket, key) is not None

        async def take(arrival: IncomingResponse) -> bool:
            await arrival.skip()
            return arrival.status == 200 and arrival.header(DIGEST) == sha256

        return await self._exchange.call(ClientRequest("HEAD", place(bucket, key), {200, 404}), take)

    async def delete(self, bucket: str, key: str) -> bool:
        _check(bucket, key)

        async def take(arrival: IncomingResponse, doubtful: bool) -> bool:
            await arrival.skip()
            return arrival.status == 200 or doubtful

        return await self._exchange.settle(ClientRequest("DELETE", place(bucket, key), {200, 404}, idle=QUICK), take)

    async def keys(self, bucket: str, *, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
        names.check(bucket, "a bucket")
        return await (await self._dialect()).keys(bucket, prefix, after, limit)

    async def query(self, bucket: str, expression: str) -> list[str]:
        names.check(bucket, "a bucket")
        parse(expression)
        return await (await self._dialect()).query(bucket, expression)

    async def _dialect(self) -> Dialect:
        """Ours or iwhd's: known from the last reply; after a broken connection it is asked again."""
        if self._exchange.ours is None:
            await self._exchange.read(ClientRequest("GET", "/_health", range(200, 500)), 1 << 20)
        return self._ours if self._exchange.ours else self._iwhd


def _check(bucket: str, key: str, attributes: Mapping[str, str | None] | None = None) -> None:
    names.check(bucket, "a bucket")
    names.check_all(key, attributes or {})


def _sha256(data: bytes) -> str:
    return hashed(data).hexdigest()
