"""REST over real sockets and TLS: other people's clients, slow ones, ones that leave."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.serialization import Encoding
from requests_oauthlib import OAuth1
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from imagefactory.lib.secret import Secret
from imagefactory.model.jobs import Completed
from tests.functional.serving import ServingTestCase

FIELDS = {"template": "<template><name>demo</name></template>", "targets": "mock"}


class Talker(Protocol):
    """Sends given bytes, collects the reply, fires when the connection has ended."""

    def __init__(self) -> None:
        self.data = b""
        self.over: Deferred[bytes] = Deferred()
        self.on_data: Callable[[], None] = lambda: None

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.on_data()

    def connectionLost(self, reason: Failure) -> None:
        self.over.callback(self.data)

    def until(self, text: bytes) -> Deferred[None]:
        """When `text` has come."""
        done: Deferred[None] = Deferred()

        def check() -> None:
            if text in self.data and not done.called:
                done.callback(None)

        self.on_data = check
        check()
        return done


class TlsTests(ServingTestCase):
    """Limits that clients meet before a request is routed."""

    settings = {"clients": {"mock-key": Secret("mock-secret")}, "oauth_reads": False}  # noqa: RUF012

    async def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request by `requests`, which checks certificate and name."""
        pem = Path(self.mktemp())
        pem.write_bytes(self.identity.leaf.public_bytes(Encoding.PEM))
        options = {"verify": str(pem), "timeout": 20, **more}
        return await deferToThread(requests.request, method, self.url + path, **options)

    async def test_requests_oauthlib(self) -> None:
        """The client of the README: JSON, form and query, over verified TLS; unsigned it is 401."""
        auth = OAuth1("mock-key", "mock-secret")
        images = "/imagefactory/images"
        self.assertEqual((await self.ask("POST", images, json=FIELDS, auth=auth)).status_code, 202)
        answer = await self.ask("POST", images, data=FIELDS, auth=auth)
        self.assertEqual(answer.status_code, 202)
        id = answer.json()["build"]["target_images"][0]["id"]
        job = (await self.ask("GET", f"/imagefactory/builders/{id}")).json()
        self.assertEqual((job["href"], job["status"]), (f"{self.url}/imagefactory/builders/{id}", "NEW"))
        hashed = OAuth1("mock-key", "mock-secret", signature_method="HMAC-SHA256", signature_type="QUERY")
        self.assertEqual((await self.ask("DELETE", f"{images}/i1", auth=hashed)).status_code, 204)
        self.assertEqual((await self.ask("POST", images, json=FIELDS)).status_code, 401)
        self.assertEqual((await self.ask("GET", "/health")).json()["status"], "ok")

    async def test_old_tls_is_refused(self) -> None:
        """A client that knows nothing newer than TLS 1.1 gets nowhere."""

        def connect(version: ssl.TLSVersion) -> str | None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
            plain = socket.create_connection(("127.0.0.1", self.port), 10)
            with plain, context.wrap_socket(plain) as secured:
                return secured.version()

        self.assertEqual(await deferToThread(connect, ssl.TLSVersion.TLSv1_2), "TLSv1.2")
        refused = None
        try:
            await deferToThread(connect, ssl.TLSVersion.TLSv1_1)
        except (ssl.SSLError, OSError) as error:
            refused = error
        self.assertIsNotNone(refused)


class StalledTlsTests(ServingTestCase):
    """The deadline begins before TLS does."""

    settings = {**ServingTestCase.settings, "request_timeout": 2, "max_connections": 1}  # noqa: RUF012

    async def test_no_handshake(self) -> None:
        """A client that never says hello is cut off; while it is there, the next one is too many."""
        stalled, late = Talker(), Talker()
        for talker in (stalled, late):
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), talker)
        await late.over
        self.assertEqual(len(self.site.connection_limit), 1)
        self.assertEqual(await stalled.over, b"")
        self.assertEqual(len(self.site.connection_limit), 0)


class CrowdTests(ServingTestCase):
    """Many clients, and bad ones."""

    settings = {**ServingTestCase.settings, "request_timeout": 3, "max_connections": 400}  # noqa: RUF012
    tls = False

    async def talk(self, data: bytes) -> Talker:
        """A connection on which `data` was sent."""
        talker = Talker()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), talker)
        assert talker.transport is not None
        talker.transport.write(data)
        return talker

    async def test_two_hundred_slow_clients(self) -> None:
        """All are cut off at their deadline; meanwhile others are served."""
        head = b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        parts = (b"", b"GET /ima", head, head + b"x" * 500)
        slow = [await self.talk(parts[number % len(parts)]) for number in range(200)]
        for _ in range(20):
            quick = await self.talk(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertIn(b'"ok"', await quick.over)
        self.assertEqual(len(self.site.connection_limit), 200)
        ends = await DeferredList([talker.over for talker in slow])
        self.assertTrue(all(success for success, _ in ends))
        self.assertEqual((len(self.site.connection_limit), self.jobs.requests), (0, []))

    async def test_a_client_that_hangs_up_during_its_post(self) -> None:
        """Half a body: nothing happens. A whole one: the job is accepted, even if the client has gone."""
        half = await self.talk(b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\ntemplate=")
        half.transport.abortConnection()
        await half.over
        self.jobs.slow = Deferred()
        body = b"targets=mock&template=<template/>"
        whole = await self.talk(
            b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        check = await self.talk(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await check.over
        whole.transport.abortConnection()
        await whole.over
        self.jobs.slow.callback(None)
        self.assertEqual(len(self.jobs), 1)

    async def test_five_hundred_is_too_many(self) -> None:
        """Streams over the limit get 503 at once; the others go on."""
        connection_limit = [await self.talk(b"") for _ in range(400)]
        late = await self.talk(b"")
        self.assertIn(b"503 Service Unavailable", await late.over)
        for talker in connection_limit:
            talker.transport.abortConnection()
        await DeferredList([talker.over for talker in connection_limit])

    async def test_following_a_log(self) -> None:
        """Longer than any idle limit, until the job has ended."""
        accepted = await self.talk(
            b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 33\r\n\r\n"
            b"targets=mock&template=<template/>"
        )
        self.assertIn(b"202", (await accepted.over)[:20])
        id = (await self.jobs.jobs())[0].id
        reader = await self.talk(
            f"GET /imagefactory/builders/{id}/log?follow=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        await reader.until(b"\r\n\r\n")
        idle: Deferred[None] = Deferred()
        reactor.callLater(4, idle.callback, None)
        await idle
        self.jobs.log_line(id, "still here")
        self.jobs.change(id, state=Completed())
        self.assertIn(b"still here\n", await reader.over)

    async def test_a_reader_that_never_reads(self) -> None:
        """The kernel's buffers fill, then ours, then it is dropped; memory stays what it was."""
        await (
            await self.talk(
                b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 33\r\n\r\n"
                b"targets=mock&template=<template/>"
            )
        ).over
        id = (await self.jobs.jobs())[0].id
        reader = await self.talk(b"GET /imagefactory/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.until(b":\n\n")
        reader.transport.pauseProducing()
        for number in range(30_000):
            self.jobs.change(id, activity=f"{number} " + "x" * 1000)
            if not self.jobs.listeners:
                break
            if number % 100 == 0:
                breath: Deferred[None] = Deferred()
                reactor.callLater(0, breath.callback, None)
                await breath
        self.assertEqual(self.jobs.listeners, 0)
        reader.transport.resumeProducing()
        await reader.over
