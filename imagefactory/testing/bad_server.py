"""An HTTP server that behaves as badly as a test wants it to."""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.clock import Clock


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A well-formed reply; underscores in header names mean dashes."""
    given = {"Content-Length": str(len(body)), **{name.replace("_", "-"): text for name, text in headers.items()}}
    head = "".join(f"{name}: {text}\r\n" for name, text in given.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Act:
    """What to do with one request.

    `data` is sent, in pieces of `piece` bytes every `every` seconds if that is not 0; then the connection is closed if
    `close`. With `cut`, the connection breaks when that many bytes of the request's body have come. With `early`, the
    answer comes then, and nothing more is read.
    """

    data: bytes = b""
    close: bool = False
    cut: int | None = None
    early: int | None = None
    every: float = 0.0
    piece: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class BadServer(Factory):
    """Plays `script`, one act per request, the last one for ever; `seen` is what came."""

    noisy = False  # one line per connection is no news

    def __init__(self, clock: Clock, *script: Act | bytes) -> None:
        self.clock = clock
        self.script = [Act(act) if isinstance(act, bytes) else act for act in script]
        self.seen: list[Seen] = []

    def buildProtocol(self, addr: IAddress | None) -> BadProtocol:
        return BadProtocol(self)

    def next_act(self) -> Act:
        """The one for the request that has just begun."""
        return self.script[min(len(self.seen), len(self.script) - 1)]


class BadProtocol(Protocol):
    """One connection; knows just enough HTTP."""

    def __init__(self, server: BadServer) -> None:
        self._server = server
        self._data = b""
        self._gone = False

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        act, length = self._server.next_act(), int(headers.get("content-length", "0"))
        cut = act.cut is not None and len(body) >= act.cut
        early = act.early is not None and len(body) >= act.early
        if len(body) < length and not cut and not early:
            return
        self._server.seen.append(Seen(method, path, headers, body))
        self._data = body[length:]
        if early:
            assert self.transport is not None
            self.transport.pauseProducing()  # type: ignore[attr-defined]
        if cut:
            self._abort()
        else:
            self._play(act, act.data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._gone = True

    def _play(self, act: Act, data: bytes) -> None:
        assert self.transport is not None
        if self._gone:
            return
        size = act.piece if act.every else len(data)
        self.transport.write(data[:size])
        if data[size:]:
            self._server.clock.callLater(act.every, self._play, act, data[size:])
        elif act.close:
            self.transport.loseConnection()

    def _abort(self) -> None:
        assert self.transport is not None
        self.transport.abortConnection()  # type: ignore[attr-defined]
