"""Limits on bytes, seconds and connections; what is malformed before it is a request."""

import json

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred

from imagefactory.testing.wire import Wire, read_reply
from tests.rest.service import ServiceTestCase

HEAD = b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class BodyLimitTests(ServiceTestCase):
    """A body is measured while it arrives."""

    settings = {**ServiceTestCase.settings, "request_limit": 1000}  # noqa: RUF012

    def assert_refused(self) -> None:
        """413 as JSON has come; the connection closes after the client had a moment to read."""
        received = self.wire.received()
        self.assertNotIn(b"100 Continue", received)
        answer = read_reply(received)
        self.assertEqual((answer.status, sorted(answer.json)), (413, ["error", "hint", "incident"]))
        self.assertTrue(self.wire.transport.connected)
        self.clock.advance(1)
        self.assertFalse(self.wire.transport.connected)
        self.assertEqual(self.jobs.requests, [])

    def test_announced(self) -> None:
        """Refused before the body, without 100 Continue; what comes nevertheless is thrown away."""
        self.wire.send(HEAD + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        self.wire.send(b"x" * 1001)
        self.assert_refused()

    def test_in_chunks(self) -> None:
        """Refused as soon as it is too much, though no length was announced."""
        self.wire.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            self.wire.send(b"64\r\n" + b"x" * 100 + b"\r\n")
        self.assertEqual(self.wire.received(), b"")
        self.wire.send(b"1\r\nx\r\n")
        self.wire.send(b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n")
        self.assert_refused()

    def test_just_small_enough(self) -> None:
        """The limit itself is fine."""
        self.assertEqual(self.wire.ask("POST", "/imagefactory/images", b"x" * 1000).status, 400)


class SlowClientTests(ServiceTestCase):
    """One deadline per request, however it trickles."""

    def trickle(self, data: bytes) -> int:
        """Send a byte every five seconds; how many went before the connection was closed."""
        for sent in range(len(data)):
            self.wire.send(data[sent : sent + 1])
            self.clock.advance(5)
            if not self.wire.transport.connected:
                return sent + 1
        return len(data)

    def test_headers(self) -> None:
        """A minute for all of them."""
        self.assertEqual(self.trickle(HEAD), 12)

    def test_body(self) -> None:
        """The same minute for the body."""
        self.wire.send(HEAD + b"Content-Length: 100\r\n\r\n")
        self.assertEqual(self.trickle(b"x" * 100), 12)

    def test_nothing_at_all(self) -> None:
        """A connection that says nothing is closed; so is one that is idle between requests."""
        self.clock.advance(61)
        self.assertFalse(self.wire.transport.connected)
        self.wire = Wire(self.site)
        self.clock.advance(50)
        self.assertEqual(self.wire.ask("GET", "/health").status, 200)
        self.clock.advance(50)
        self.assertEqual(self.wire.ask("GET", "/health").status, 200)
        self.clock.advance(61)
        self.assertFalse(self.wire.transport.connected)
        self.assertEqual(len(self.site.connection_limit), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ConnectionLimitTests(ServiceTestCase):
    """A bounded number of clients."""

    settings = {**ServiceTestCase.settings, "max_connections": 2}  # noqa: RUF012

    def test_one_too_many(self) -> None:
        """It gets the reason and is closed; a connection that ends makes room for another."""
        second, third = Wire(self.site), Wire(self.site)
        answer = read_reply(third.received())
        self.assertEqual((answer.status, third.transport.connected), (503, False))
        second.hang_up()
        self.assertEqual(Wire(self.site).ask("GET", "/health").status, 200)


class CrowdTests(ServiceTestCase):
    """One address with many connections."""

    settings = {**ServiceTestCase.settings, "connections_per_address": 2, "trusted_proxies": ("198.51.100.0/24",)}  # noqa: RUF012

    def test_the_others_are_served(self) -> None:
        """It gets 503; another address, and a proxy with many clients, do not."""
        Wire(self.site)
        self.assertEqual(read_reply(Wire(self.site).received()).status, 503)
        other = IPv4Address("TCP", "192.0.2.8", 1)
        self.assertEqual(Wire(self.site, other).ask("GET", "/health").status, 200)
        proxy = IPv4Address("TCP", "198.51.100.1", 1)
        for wire in [Wire(self.site, proxy) for _ in range(5)]:
            self.assertEqual(wire.ask("GET", "/health").status, 200)


class ClosingTests(ServiceTestCase):
    """The daemon stops."""

    def test_all_connections_end(self) -> None:
        """Idle ones, streams, half requests; it is done when the last one is gone."""
        stream, half = Wire(self.site), Wire(self.site)
        stream.send(b"GET /imagefactory/events HTTP/1.1\r\nHost: x\r\n\r\n")
        half.send(HEAD)
        self.successResultOf(Deferred.fromCoroutine(self.site.connection_limit.close()))
        self.assertEqual((len(self.site.connection_limit), self.jobs.listeners), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(Deferred.fromCoroutine(self.site.connection_limit.close()))


class MalformedTests(ServiceTestCase):
    """What is no request, or one that cannot be understood."""

    def test_bodies(self) -> None:
        """Garbage, truncated, not UTF-8, nested, not an object, half a surrogate pair: 400 as JSON."""
        bodies = [
            b"\x00\x01garbage",
            b'{"template": "<templ',
            b'{"template": "\xff\xfe"}',
            b"[" * 100_000,
            b'{"a":' * 5000 + b"1" + b"}" * 5000,
            b'{"a":' * 50 + b"1" + b"}" * 50,
            b"[1, 2]",
            b'"text"',
            b"{}",
            b'{"template": 5, "targets": ["mock"]}',
            b'{"template": "\\ud800", "targets": "mock"}',
            b'{"template": ' + b"9" * 5000 + b"}",
        ]
        for body in bodies:
            headers = [("Content-Type", "application/json")]
            answer = self.wire.ask("POST", "/imagefactory/images", body, headers=headers)
            self.assertEqual(answer.status, 400, body[:40])
            self.assertIsInstance(json.loads(answer.body)["error"], str)

    def test_content_types(self) -> None:
        """What is neither JSON nor a form is refused with what is understood."""
        for media in ("text/xml", "application/octet-stream", "application/jsonx"):
            answer = self.wire.ask("POST", "/imagefactory/images", b"x=1", headers=[("Content-Type", media)])
            self.assertEqual(answer.status, 415)
            self.assertIn("application/json", answer.json["hint"])

    def test_content_encodings(self) -> None:
        """A body that was compressed is refused, and not read as if it were not."""
        for coding, status in (("gzip", 415), ("identity", 400)):
            headers = [("Content-Type", "application/json"), ("Content-Encoding", coding)]
            self.assertEqual(self.wire.ask("POST", "/imagefactory/images", b"{}", headers=headers).status, status)

    def test_hosts_methods_and_paths(self) -> None:
        """None of them is an internal error, and the connection stays open."""
        for host in ("a..b", "xn--", "[::1", "a b", "\xe4", "x" * 300, ""):
            self.assertIn(self.wire.ask("GET", "/imagefactory", host=host).status, (200, 400, 403), host)
        self.assertEqual(self.wire.ask("GET", "/imagefactory/builders/%ff").status, 400)
        self.assertEqual(self.wire.ask("GET", "/imagefactory/builders/%00").status, 404)
        self.assertIn(self.wire.ask("GET", "//imagefactory//images").status, (200, 404))
        self.assertEqual(self.wire.ask("BREW", "/imagefactory").status, 405)
        for line in (b"GET /imagefactory/\xff", b"B\xffEW /imagefactory"):
            wire = Wire(self.site)
            wire.send(line + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(wire.received().startswith(b"HTTP/1.1 40"), line)

    def test_heads(self) -> None:
        """Not HTTP at all, no length, two lengths, no header, too much of everything: 400 as JSON, then the end."""
        good = b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\n"
        for head in (
            b"hello\r\n",
            b"GET /imagefactory\r\n\r\n",
            b"GET / HTTP/9.9.9\r\n\r\n",
            good + b"Content-Length: ten\r\n\r\n",
            good + b"Content-Length: -1\r\n\r\n",
            good + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
            good + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            good + b"Transfer-Encoding: gzip\r\n\r\n",
            good + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            good + b"no colon\r\nAnother: one\r\n\r\n",
            good + b"host: y\r\nContent-Length: 0\r\n\r\n",
            good + b"Content-Length: 0\r\nX: a\r\n b\r\n\r\n",
            b"GET /imagefactory HTTP/1.1\r\nX: a\r\n\r\n",
            b"GET /imagefactory HTTP/1.1\r\n\r\n",
            b" GET /imagefactory HTTP/1.1\r\nHost: x\r\n\r\n",
            good + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
            b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
            good + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(40)) + b"\r\n",
            good + b"".join(b"X-%d: x\r\n" % number for number in range(600)) + b"\r\n",
        ):
            wire = Wire(self.site)
            wire.send(head)
            wire.send(b"GET /imagefactory HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = read_reply(received := wire.received())
            self.assertEqual((answer.status, sorted(answer.json)), (400, ["error", "hint", "incident"]), head[:90])
            self.assertEqual(received.count(b"HTTP/1.1"), 1, head[:90])
            self.clock.advance(1)
            self.assertFalse(wire.transport.connected, head[:90])
        self.assertEqual((len(self.site.connection_limit), self.jobs.requests), (1, []))

    def test_a_client_that_leaves_with_the_answer(self) -> None:
        """No clock is left running for it."""
        wire = Wire(self.site)
        wire.send(b"hello\r\n")
        self.assertEqual(read_reply(wire.received()).status, 400)
        for each in (wire, self.wire):
            each.hang_up()
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_absolute_addresses(self) -> None:
        """As clients of proxies send them; the host in them is the one that counts."""
        for address, path in (
            ("http://other.example:81/imagefactory/builders?limit=1", "/imagefactory/builders"),
            ("HTTP://other.example:81/imagefactory/images", "/imagefactory/images"),
        ):
            answer = self.wire.ask("GET", address)
            self.assertEqual(answer.json["href"], f"http://other.example:81{path}")
        for address in ("http://other.example", "http://other.example?x=1", "http://", "ftp://x/imagefactory"):
            self.assertEqual(self.wire.ask("GET", address).status, 404, address)

    def test_unknown_paths_and_wrong_methods(self) -> None:
        """404, and 405 with what is allowed, as JSON."""
        self.assertEqual(self.wire.ask("GET", "/nothing").json["error"], "no such resource")
        answer = self.wire.ask("PUT", "/imagefactory/images")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD, POST"))
        answer = self.wire.ask("DELETE", "/imagefactory/builders/x/status")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD"))

    def test_no_word_about_the_software(self) -> None:
        """No Server header; a date is there."""
        headers = self.wire.ask("GET", "/imagefactory").headers
        self.assertNotIn("server", headers)
        self.assertEqual(headers["date"], "Mon, 12 Jan 1970 13:46:40 GMT")

    def test_head(self) -> None:
        """Every GET answers HEAD without a body, streams included."""
        for path in ("/imagefactory", "/imagefactory/events", "/imagefactory/builders"):
            answer = self.wire.ask("HEAD", path)
            self.assertEqual((answer.status, answer.body), (200, b""))

    def test_the_unexpected(self) -> None:
        """500 with an incident that is in the log, and nothing else."""

        def break_down(**_: object) -> None:
            raise RuntimeError("secret detail")

        self.jobs.jobs = break_down  # type: ignore[method-assign, assignment]
        answer = self.wire.ask("GET", "/imagefactory/builders")
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"secret", answer.body)
        self.assertRegex(answer.json["incident"], "^[0-9a-f]{12}$")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
