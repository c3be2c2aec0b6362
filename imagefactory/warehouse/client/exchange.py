"""One request and its reply: signed, watched, its status checked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Container, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from OpenSSL import SSL
from treq.client import HTTPClient
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from imagefactory import __version__
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError, TooLarge, Unavailable
from imagefactory.lib.oauth.signer import Signer
from imagefactory.lib.twisted_private.http import RequestNotSent
from imagefactory.warehouse.client.errors import HICCUPS, TemporarilyUnavailable, refusal
from imagefactory.warehouse.client.receiving import IncomingResponse
from imagefactory.warehouse.client.sending import BodySource, Sending, in_memory
from imagefactory.warehouse.client.timeouts import IdleTimeout
from imagefactory.warehouse.client.waiting import Waiting

IDLE = 60.0
"""Seconds without a byte in either direction."""

QUICK = 15.0
"""The same for what takes a server no time, and comes last: clean-up after a cancellation."""

REFUSED = 300
"""Statuses from here on mean that nothing more of a body is wanted."""

PROBLEM = "application/problem+json"
_LISTS = 64 << 20  # the largest reply that is no body
_BROKEN = (
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseNeverReceived,
    ResponseFailed,
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    PotentialDataLoss,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A request: `path` from the warehouse's root on, quoted; `accept`: statuses that the asker deals with."""

    method: str
    path: str
    accept: Container[int] = range(200, 300)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: BodySource | None = None
    idle: float = IDLE


class Exchange:
    """Asks one warehouse; `ours` says whether it is one of ours, None as long as that is not known."""

    def __init__(
        self,
        http: HTTPClient,
        url: str,
        *,
        clock: Clock,
        threads: Threads,
        waiting: Waiting,
        signer: Signer | None,
        digesters: Executor | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.threads = threads
        self.digesters = digesters
        self.waiting = waiting
        self.ours: bool | None = None
        self._http = http
        self._clock = clock
        self._signer = signer

    async def read(self, ask: ClientRequest, limit: int = _LISTS) -> tuple[int, bytes]:
        """Status and body, tried until it works; FactoryErrors with the URL."""

        async def take(arrival: IncomingResponse) -> tuple[int, bytes]:
            return arrival.status, await arrival.read(limit)

        return await self.call(ask, take)

    async def call(self, ask: ClientRequest, take: Callable[[IncomingResponse], Awaitable[T]]) -> T:
        """What `take` makes of the reply, tried until it works."""
        return await self.waiting.until_done(lambda: self.once(ask, take))

    async def settle(self, ask: ClientRequest, take: Callable[[IncomingResponse, bool], Awaitable[T]]) -> T:
        """As `call`; `take` is told whether an earlier try may have done it, its reply being lost."""
        doubtful = False

        async def attempt() -> T:
            nonlocal doubtful
            try:
                return await self.once(ask, lambda arrival: take(arrival, doubtful))
            except TemporarilyUnavailable as error:
                doubtful = doubtful or error.doubtful
                raise

        return await self.waiting.until_done(attempt)

    async def once(self, ask: ClientRequest, take: Callable[[IncomingResponse], Awaitable[T]]) -> T:
        """One try; Passing if another may work."""
        idle = self.waiting.patience(ask.idle) if ask.body is None else ask.idle
        patience = IdleTimeout(self._clock, idle)
        where = f"{ask.method} {self.url}{ask.path}"
        try:
            return await patience.guard(self._try(ask, take, patience, where))
        except TimeoutError:
            self.ours = None
            raise TemporarilyUnavailable(f"the warehouse was silent for {idle:g} seconds", where=where) from None
        except RequestGenerationFailed as error:
            error.reasons[0].raiseException()
            raise
        except _BROKEN as error:
            self.ours = None
            raise _broken(error, where) from error
        except TooLarge as error:
            raise TooLarge(error.message, where=where) from None

    async def _try(
        self, ask: ClientRequest, take: Callable[[IncomingResponse], Awaitable[T]], patience: IdleTimeout, where: str
    ) -> T:
        body = in_memory(b"") if ask.body is None and ask.method in {"PUT", "POST"} else ask.body
        sending = None if body is None else Sending(body, self.threads, patience.moved)
        try:
            response = await self._http.request(
                ask.method,
                self.url + ask.path,
                headers=self._headers(ask),
                data=sending,
                allow_redirects=False,
                unbuffered=True,
                reactor=self._clock,  # type: ignore[arg-type]
            )
            patience.moved()
            if sending is not None and response.code >= REFUSED:
                sending.stopProducing()  # the server may not even read on
            try:
                return await self._taken(ask, IncomingResponse(response, patience), take, where)
            finally:
                if sending is not None:  # answered early: Twisted closes such a connection only while it is written to
                    await sending.settled()
        finally:
            if sending is not None:
                await sending.ended()

    async def _taken(
        self,
        ask: ClientRequest,
        arrival: IncomingResponse,
        take: Callable[[IncomingResponse], Awaitable[T]],
        where: str,
    ) -> T:
        self._recognise(arrival)
        if arrival.status not in ask.accept:
            raise refusal(arrival.status, where, await _reason(arrival))
        return await take(arrival)

    def _headers(self, ask: ClientRequest) -> Headers:
        given = {"User-Agent": f"imagefactory/{__version__}", "Accept": PROBLEM, **ask.headers}
        if self._signer is not None:
            given |= self._signer.headers(ask.method, self.url + ask.path)
        return Headers({name: [value] for name, value in given.items()})

    def _recognise(self, arrival: IncomingResponse) -> None:
        """A reply with our sign is ours; without it, an error may be a proxy's, and says nothing."""
        if is_ours(arrival.header):
            self.ours = True
        elif arrival.status < REFUSED or (arrival.status == 404 and self.ours is None):
            self.ours = False


def is_ours(header: Callable[[str], str]) -> bool:
    """Whether a reply with these headers is one of a server of ours; a proxy replaces `Server`."""
    return bool(header("X-Warehouse")) or header("Server").startswith("imagewarehouse/")


async def _reason(arrival: IncomingResponse) -> str:
    """What a server of ours says about an error; others say nothing, or a page for people."""
    if arrival.header("content-type") != PROBLEM:
        await arrival.skip()
        return ""
    try:
        document = json.loads(await arrival.read(1 << 16))
    except (ValueError, FactoryError):
        return ""
    return str(document.get("title", "")) if isinstance(document, dict) else ""


def _broken(error: Exception, where: str) -> FactoryError:
    cause = _cause(error)
    if isinstance(cause, SSL.Error) and "certificate" in str(cause):
        return Unavailable(
            "the warehouse did not prove that it is the one meant",
            where=where,
            hint="name its authority (warehouse_ca) or its certificate (warehouse_fingerprint); "
            "the certificate needs the host's name as subject alternative name",
        )
    if isinstance(cause, (ConnectError, DNSLookupError)):
        return TemporarilyUnavailable(f"the warehouse cannot be reached: {cause}", where=where, doubtful=False)
    return TemporarilyUnavailable(f"the connection to the warehouse broke: {cause}", where=where)


def _cause(error: BaseException | None) -> BaseException | None:
    """Twisted wraps what went wrong in lists of failures."""
    reasons = getattr(error, "reasons", None)
    return _cause(reasons[0].value) if reasons and isinstance(reasons[0], Failure) else error


def rubbish(what: str, where: str) -> TemporarilyUnavailable:
    """The error for a reply that cannot be read."""
    return TemporarilyUnavailable(f"the warehouse answers rubbish: {what}", where=where, tries=HICCUPS)
