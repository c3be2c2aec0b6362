"""Fetches what a template names by URL, under rules that protect the hosts around the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IResponse
from zope.interface import implementer

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.errors import FactoryError, Forbidden, InvalidInput, TooLarge, Unavailable
from imagefactory.lib.http.address_policy import Network, literal, only, permitted
from imagefactory.lib.http.connecting import Connect, first_of
from imagefactory.lib.http.url_policy import parse_url
from imagefactory.lib.secret import without_secrets
from imagefactory.lib.tls.client import StrictPolicy

REDIRECTS = 5
_MOVED = {301, 302, 303, 307, 308}

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a host name; OSError if there are none."""

Trusts = Callable[[str, int], Awaitable[bool]]
"""Whether the server of this host (no brackets) and port may have any address."""


async def trust_none(_host: str, _port: int) -> bool:
    """Returns False."""
    return False


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be fetched: schemes, networks beside the public ones, bytes and seconds per document.

    Attributes:
        trusts: is asked about a server that has another address.
        setting: where an administrator allows more networks, for error messages.
    """

    schemes: Sequence[str] = ("https", "http")
    networks: Sequence[Network] = ()
    trusts: Trusts = trust_none
    setting: str = "template_networks"
    limit: int = 1 << 20
    seconds: float = 30


@implementer(IStreamClientEndpoint)
class CheckedEndpoint:
    """Resolves a host, checks all its addresses, and connects to one of exactly these.

    A name that is resolved for the check and once more for the connection may change its meaning in between.
    """

    def __init__(self, host: str, port: int, rules: Rules, resolve: Resolve, connect: Connect) -> None:
        self._host = host
        self._port = port
        self._rules = rules
        self._resolve = resolve
        self._connect = connect

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """See `IStreamClientEndpoint`; also fails with Forbidden and Unavailable."""
        return Deferred.fromCoroutine(self._checked(factory))

    async def _checked(self, factory: IProtocolFactory) -> IProtocol:
        addresses = await self._addresses()
        try:
            return await self._connect(addresses, self._port).connect(factory)
        except ConnectError as error:
            raise Unavailable(f"cannot connect to {self._host}: {error}", hint="is the URL right?") from error

    async def _addresses(self) -> Sequence[str]:
        itself = literal(self._host)
        try:
            found = [itself] if itself else await self._resolve(self._host)
            if not found:
                raise OSError("it has no address")
        except OSError as error:
            raise Unavailable(f"cannot resolve {self._host}: {error}", hint="is the URL right?") from error
        refused = [address for address in found if not permitted(address, self._rules.networks)]
        if refused and not await self._rules.trusts(self._host.strip("[]"), self._port):
            raise self._refusal(refused)
        return found

    def _refusal(self, addresses: Sequence[str]) -> Forbidden:
        rules = self._rules
        known = ", ".join(f'"{network}"' for network in (*rules.networks, *map(only, addresses)))
        return Forbidden(
            f"{self._host} is not on the public network; nothing is fetched from there",
            hint=f'an administrator may allow it in the configuration file: "{rules.setting}": [{known}]',
        )


@implementer(IAgentEndpointFactory)
class CheckedEndpoints:
    """Makes all connections of an agent checked ones."""

    def __init__(self, rules: Rules, resolve: Resolve, connect: Connect) -> None:
        self._rules = rules
        self._resolve = resolve
        self._connect = connect
        self._policy = StrictPolicy()

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """See `IAgentEndpointFactory`; the certificate has to be that of the host named in the URL."""
        host = uri.host.decode("ascii")
        plain = CheckedEndpoint(host, uri.port, self._rules, self._resolve, self._connect)
        if uri.scheme != b"https":
            return plain
        return wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), plain)


def checked_agent(reactor: Any, resolve: Resolve, rules: Rules, pool: HTTPConnectionPool | None = None) -> IAgent:
    """An agent over the reactor that was handed in; without a pool no connection is kept."""
    endpoints = CheckedEndpoints(rules, resolve, first_of(reactor, rules.seconds))
    kept = pool or HTTPConnectionPool(reactor, persistent=False)
    agent: IAgent = Agent.usingEndpointFactory(reactor, endpoints, kept)
    return agent


class GuardedFetcher:
    """Fetches small documents."""

    def __init__(self, agent: IAgent, rules: Rules, clock: Clock) -> None:
        self._agent = agent
        self._rules = rules
        self._clock = clock

    async def fetch(self, url: str) -> bytes:
        """Returns the document at `url`.

        No error shows anything of the body of a response.

        Raises:
            InvalidInput: it is no URL.
            Forbidden: the rules do not allow it.
            TooLarge: it has more bytes than they allow.
            Unavailable: it cannot be fetched.
        """
        try:
            return await timeout(self._clock, self._rules.seconds, self._follow(url))
        except TimeoutError:
            raise Unavailable(f"{without_secrets(url)} did not answer in {self._rules.seconds:g} seconds") from None

    async def _follow(self, url: str) -> bytes:
        for _ in range(REDIRECTS + 1):
            response = await self._request(url)
            if response.code not in _MOVED:
                return await self._body(url, response)
            location = response.headers.getRawHeaders("location", [""])[0]
            _drop(response)
            url = self._moved(url, location)
        raise Unavailable(f"{without_secrets(url)} redirects without end")

    def _moved(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            parse_url(target, self._rules.schemes)
        except (ValueError, InvalidInput):
            raise Unavailable(f"{without_secrets(url)} redirects to something that is no URL") from None
        return target

    async def _request(self, url: str) -> IResponse:
        place = parse_url(url, self._rules.schemes)
        headers = Headers({"User-Agent": ["imagefactory"]})
        if place.authorization:
            headers.setRawHeaders("Authorization", [place.authorization])
        try:
            return await self._agent.request(b"GET", place.url, headers)
        except (CancelledError, FactoryError):
            raise
        except Exception as error:  # failures of TLS and HTTP come in many classes
            raise Unavailable(f"cannot fetch {without_secrets(url)}: {error}", hint="is the URL right?") from error

    async def _body(self, url: str, response: IResponse) -> bytes:
        if response.code != 200:
            _drop(response)
            raise Unavailable(f"{without_secrets(url)} answered {response.code}", hint="is the URL right?")
        body = _Body(self._rules.limit)
        response.deliverBody(body)
        data = await body.done
        if data is None:
            raise TooLarge(f"{without_secrets(url)} is larger than {self._rules.limit} bytes")
        return data


def _drop(response: IResponse) -> None:
    """Read nothing of the body: its connection is closed with the first byte."""
    body = _Body(0)
    body.done.addErrback(lambda _: None)
    response.deliverBody(body)


class _Body(Protocol):
    """Collects at most `limit` bytes; `done` fires with None if there are more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self.done: Deferred[bytes | None] = Deferred(lambda _: self._abort())

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > self._limit and not self.done.called:
            self.done.callback(None)
            self._abort()

    def connectionLost(self, reason: Failure = Failure(ResponseDone())) -> None:  # noqa: B008
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._data))
        else:
            self.done.errback(Failure(Unavailable("the connection broke off in the middle of the answer")))

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
