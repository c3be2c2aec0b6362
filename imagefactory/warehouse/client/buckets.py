"""Where things are, and what both kinds of warehouse say about buckets."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from imagefactory.lib.errors import NotFound
from imagefactory.warehouse.client.errors import refusal
from imagefactory.warehouse.client.exchange import ClientRequest, Exchange
from imagefactory.warehouse.client.receiving import IncomingResponse


def path(*names: str, **arguments: str | int) -> str:
    """The path of a bucket, object or attribute; every special character is escaped."""
    query = f"?{urlencode(arguments)}" if arguments else ""
    return "/" + "/".join(quote(name, safe="-._~") for name in names) + query


async def create(exchange: Exchange, bucket: str) -> bool:
    """Make it; False if it is there. Both answer 500 then, as they do when something is wrong."""
    if await exists(exchange, bucket):
        return False
    where = path(bucket)

    async def take(arrival: IncomingResponse, doubtful: bool) -> bool:
        await arrival.skip()
        if arrival.status == 500 and not await is_there(exchange, bucket):
            raise refusal(500, exchange.url + where, "")
        return arrival.status != 500 or doubtful

    return await exchange.settle(ClientRequest("PUT", where, accept={200, 201, 500}), take)


async def exists(exchange: Exchange, bucket: str) -> bool:
    """Whether there is such a bucket."""
    return await exchange.waiting.until_done(lambda: is_there(exchange, bucket))


async def is_there(exchange: Exchange, bucket: str) -> bool:
    """As `exists`, in one try: for who is within one already."""

    async def take(arrival: IncomingResponse) -> bool:
        await arrival.skip()
        return arrival.status == 200

    return await exchange.once(ClientRequest("GET", path(bucket, limit=1), accept={200, 404}), take)


async def stored(exchange: Exchange, bucket: str, arrival: IncomingResponse) -> None:
    """Look at the reply to a body: both kinds answer 500 where the bucket is missing. Raises NotFound, Passing."""
    await arrival.skip()
    if arrival.status != 500:
        return
    if not await is_there(exchange, bucket):
        raise NotFound("there is no such bucket", where=f"{exchange.url}{path(bucket)}")
    raise refusal(500, f"{exchange.url}{path(bucket)}", "")
