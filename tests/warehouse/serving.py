"""A warehouse server in memory, for the tests of its API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.secret import Secret
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.testing.wire import Wire, WireReply
from imagefactory.warehouse.server import make_site
from imagefactory.warehouse.store import open_store
from imagefactory.warehouse.store.trust import Trust
from tests.warehouse.places import fresh_directory

HOST = "localhost:9090"


class ServerTestCase(SynchronousTestCase):
    """A fresh server per test; `ask` talks to it as a client on one connection."""

    users: Mapping[str, Secret] | None = None

    def setUp(self) -> None:
        self.root = fresh_directory(self) / "warehouse"
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.store = open_store(self.root, self.clock.seconds)
        self.addCleanup(self.store.close)
        self.site = make_site(self.store, ImmediateThreads(), self.clock, self.users)
        self.wire = Wire(self.site)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> WireReply:
        """One request; underscores in header names mean dashes. A connection that was closed is opened anew."""
        if not self.wire.transport.connected or self.wire.transport.disconnecting:
            self.wire = Wire(self.site)
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if method in {"PUT", "POST"} and not body:
            given.append(("Content-Length", "0"))
        return self.wire.ask(method, path, body, host=HOST, headers=given)

    def status(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        """The status of one request, whose body must be empty if it is an error."""
        answer = self.ask(method, path, body, **headers)
        if answer.status >= 400:
            self.assertEqual(answer.body, b"")
        return answer.status

    def forget(self) -> None:
        """As after a restart: of no body it is known that it is intact."""
        self.store.trust = Trust(self.clock.seconds)

    def blobs(self) -> list[Path]:
        """All stored bodies, and bodies on their way."""
        return [path for path in self.root.rglob("*") if path.is_file() and len(path.name) == 32]


class UploadTestCase(ServerTestCase):
    """A server with the body "old" at /b/k, and connections whose bodies come bit by bit."""

    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/b")
        self.ask("PUT", "/b/k", b"old")

    def begin(self, length: int, *more: str, path: str = "/b/k") -> Wire:
        """A connection that has sent the head of a PUT."""
        wire = Wire(self.site)
        wire.send(
            "\r\n".join([f"PUT {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {length}", *more, "", ""]).encode()
        )
        return wire

    def body(self) -> bytes:
        """What is stored."""
        return self.ask("GET", "/b/k").body
