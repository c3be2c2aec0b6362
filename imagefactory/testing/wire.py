"""A client that talks to a site in memory."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site


class Pipe(StringTransport):
    """A transport that knows whether it was closed, and tells its protocol.

    Of what is written it takes `room` bytes (None: any number) before it asks the writer to wait.
    """

    protocol: Any
    room: int | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.room is not None and len(self.value()) > self.room and self.producer is not None:
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:  # noqa: N802 - Twisted's name
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        if self.connected:
            super().loseConnection()
            self._end()

    def abortConnection(self) -> None:  # noqa: N802 - Twisted's name
        self.aborting = True
        self._end()

    def _end(self) -> None:
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(ConnectionError("closed")))


@dataclass
class WireReply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection to a site, in memory; with the site's `clock` an answer that takes several turns is waited for."""

    def __init__(self, site: Site, address: IAddress | None = None, clock: Clock | None = None) -> None:
        self._clock = clock
        self.peer = address or IPv4Address("TCP", "192.0.2.7", 40000)
        self.transport = Pipe(peerAddress=self.peer)
        self.transport.hostAddr = IPv4Address("TCP", "192.0.2.1", 8075)
        protocol: Any = site.buildProtocol(self.peer)
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        self._protocol = protocol

    def send(self, data: bytes) -> None:
        """Raw bytes, if the other side still takes any."""
        if self.transport.connected:
            self._protocol.dataReceived(data)

    def hang_up(self) -> None:
        """The client goes."""
        self.transport.abortConnection()

    def received(self) -> bytes:
        """All that came since the last look."""
        data: bytes = self.transport.value()
        self.transport.clear()
        if self.transport.room is not None and self.transport.producer is not None:
            self.transport.producer.resumeProducing()
        return data

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        host: str = "factory.example:8075",
        headers: Iterable[tuple[str, str]] = (),
    ) -> WireReply:
        """One request, and its answer if it has come."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + body)
        if self._clock is not None:
            self._clock.advance(0)
        return read_reply(self.received(), method)

    def json(self, method: str, path: str, document: object, **more: Any) -> WireReply:
        """A request with a JSON body."""
        headers = [("Content-Type", "application/json"), *more.pop("headers", ())]
        return self.ask(method, path, json.dumps(document).encode(), headers=headers, **more)

    def form(self, method: str, path: str, fields: Mapping[str, str], **more: Any) -> WireReply:
        """A request with a form."""
        headers = [("Content-Type", "application/x-www-form-urlencoded"), *more.pop("headers", ())]
        return self.ask(method, path, urlencode(fields).encode(), headers=headers, **more)


def read_reply(data: bytes, method: str = "GET") -> WireReply:
    """Take an HTTP answer apart."""

    class Socket:
        def makefile(self, *_: object) -> io.BytesIO:
            return io.BytesIO(data)

    response = http.client.HTTPResponse(Socket(), method=method)  # type: ignore[arg-type]
    response.begin()
    return WireReply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
