"""Clients that are slow, leave, or send too much: the real daemon serves the others."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.functional.daemon import MOCK, DaemonCase


class CrowdTests(DaemonCase):
    """One daemon, many clients."""

    def setUp(self) -> None:
        super().setUp()
        self.configure(request_timeout=8)
        self.rest()
        self.port = urlsplit(self.url).port

    def connect(self) -> socket.socket:
        """A connection without TLS."""
        connection = socket.create_connection(("127.0.0.1", self.port or 0), 30)
        self.addCleanup(connection.close)
        return connection

    def secure(self) -> ssl.SSLSocket:
        """A connection with TLS."""
        context = ssl.create_default_context(cafile=str(self.state / "rest.pem"))
        return context.wrap_socket(self.connect(), server_hostname="127.0.0.1")

    def memory(self) -> int:
        """What the daemon holds, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def test_two_hundred_slow_clients(self) -> None:
        """Half of them in the handshake, half in a request; one that is not slow builds an image meanwhile."""
        slow = [self.connect() for _ in range(100)]
        head = b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        for _ in range(100):
            connection = self.secure()
            connection.sendall(head)
            slow.append(connection)
        begun = time.monotonic()
        self.until(self.build(), status="COMPLETED")
        self.assertLess(time.monotonic() - begun, 7, "a client had to wait for the slow ones")
        for connection in slow[:1] + slow[-1:]:
            connection.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(1000):
                    pass
        self.assertEqual(self.ask("GET", "/builders").status_code, 200)
        self.stop()
        self.assertNotIn("Traceback", self.log)

    def test_a_client_that_hangs_up_during_its_post(self) -> None:
        """Half a request is none; the daemon goes on."""
        for half in (b"{", b'{"targets": "mock", "templ'):
            connection = self.secure()
            head = b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(head + b"Content-Length: 500\r\n\r\n" + half)
            connection.close()
        self.assertEqual(self.ask("GET", "/builders").json()["builders"], [])
        self.until(self.build(), status="COMPLETED")
        self.assertNotIn("Traceback", self.log)

    def test_too_much(self) -> None:
        """413 while it arrives, announced or not; nothing of it is kept in memory."""
        before = self.memory()
        answer = self.ask("POST", "/images", data={"targets": "mock", "template": "x" * (5 << 20)})
        self.assertEqual(answer.status_code, 413)
        self.assertIn("error", answer.json())

        def endless() -> object:
            for _ in range(200):
                yield b"x" * (1 << 20)

        try:
            answer = self.ask("POST", "/images", data=endless(), headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status_code, 413)
        except requests.ConnectionError:
            pass  # it was still sending when it was cut off
        self.assertLess(self.memory() - before, 50 << 20)
        self.until(self.build(), status="COMPLETED")

    def test_garbage(self) -> None:
        """Is 400, and never a traceback."""
        bodies = (b"\x00\xff", b'{"image": ', b"[" * 100_000, b'"text"', '{"template": "\xe4"}'.encode("latin-1"))
        for body in bodies:
            answer = self.ask("POST", "/images", data=body, headers={"Content-Type": "application/json"})
            self.assertEqual(answer.status_code, 400, body[:20])
        answer = self.ask("POST", "/images", data=MOCK, headers={"Content-Type": "text/xml"})
        self.assertEqual(answer.status_code, 415)
        self.assertEqual(self.ask("GET", "/builders/nobody").status_code, 404)
        self.assertEqual(self.ask("DELETE", "/builders").status_code, 405)
        self.assertNotIn("Traceback", self.log)


class BoundTests(DaemonCase):
    """As many connections as one port may have."""

    def test_a_crowd_at_one_port(self) -> None:
        """A connection over the limit gets 503; the other port has its own limit; a freed place goes to the next."""
        self.configure(max_connections=3)
        self.rest()
        where = urlsplit(re.findall(r"the warehouse answers on (\S+)", self.log)[-1])

        def connect() -> socket.socket:
            connection = socket.create_connection((where.hostname or "", where.port or 0), 30)
            self.addCleanup(connection.close)
            return connection

        def served() -> bool:
            connection = connect()
            with contextlib.suppress(TimeoutError):
                connection.settimeout(1)
                self.assertEqual(connection.recv(1000).split()[1], b"503")
                return False
            connection.sendall(b"GET /_health HTTP/1.0\r\n\r\n")
            connection.settimeout(30)
            return connection.recv(1000).split()[1] == b"200"

        connection_limit = [connect() for _ in range(3)]
        self.assertFalse(served())
        self.until(self.build(), status="COMPLETED")
        connection_limit.pop().close()
        self.soon(served, "the place stays taken")
        self.stop()
