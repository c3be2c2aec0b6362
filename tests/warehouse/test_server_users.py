"""OAuth: who is known may, everybody else gets an empty 401."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.secret import Secret
from imagefactory.testing.wire import Wire, WireReply, read_reply
from imagefactory.warehouse.server import load_users
from tests.warehouse.serving import HOST, ServerTestCase

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class OAuthTests(ServerTestCase):
    """Signed calls."""

    users: ClassVar = {"factory": Secret("hush"), "k": Secret("s")}

    def sign(self, method: str, path: str, key: str = "factory", secret: str = "hush", **more: str) -> dict[str, str]:
        """The headers of a signed call."""
        client = Client(
            key, client_secret=secret, timestamp=more.pop("timestamp", str(int(self.clock.seconds()))), **more
        )
        return dict(client.sign(f"http://{HOST}{path}", method)[1])

    def call(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> WireReply:
        """One call with these headers."""
        return Wire(self.site).ask(
            method, path, body, host=HOST, headers=[*headers.items(), *([] if body else [("Content-Length", "0")])]
        )

    def test_signed(self) -> None:
        """A call that is signed over method and URL only is let in, with a short key and SHA-256, too."""
        self.assertEqual(self.call("PUT", "/b", self.sign("PUT", "/b")).status, 201)
        self.assertEqual(self.call("GET", "/b?limit=1", self.sign("GET", "/b?limit=1", "k", "s")).status, 200)
        signed = self.sign("GET", "/b", signature_method=SIGNATURE_HMAC_SHA256)
        self.assertEqual(self.call("GET", "/b", signed).status, 200)

    def test_query_without_its_body_in_the_signature(self) -> None:
        """The factory's 1.0 never signed the expression."""
        self.store.create_bucket("b")
        self.store.put("b", "x", None, {"n": "v"})
        headers = self.sign("POST", "/b/_query") | FORM
        self.assertEqual(self.call("POST", "/b/_query", headers, b'$n == "v"').status, 200)

    def test_form_in_the_signature(self) -> None:
        """Ruby's client signs form fields."""
        client = Client("factory", client_secret="hush", timestamp=str(int(self.clock.seconds())))
        _, headers, body = client.sign(f"http://{HOST}/_new", "POST", "name=b", FORM)
        self.assertEqual(self.call("POST", "/_new", dict(headers), str(body).encode()).status, 201)

    def test_body_hash(self) -> None:
        """A body hash may be there, and must be right then."""
        client = Client("factory", client_secret="hush", timestamp=str(int(self.clock.seconds())))
        _, headers, _ = client.sign(f"http://{HOST}/b/k/a", "PUT", "a value", {"Content-Type": "text/plain"})
        self.assertIn("oauth_body_hash", headers["Authorization"])
        self.assertEqual(self.call("PUT", "/b/k/a", dict(headers), b"other").status, 401)
        self.assertEqual(self.call("PUT", "/b/k/a", dict(headers), b"a value").status, 201)

    def test_refused(self) -> None:
        """Not signed, unknown key, wrong secret, other URL, too old, from the future, made before: 401, empty."""
        good = self.sign("GET", "/")
        self.assertEqual(self.call("GET", "/", good).status, 200)
        now = int(self.clock.seconds())
        for headers in (
            {},
            {"Authorization": "Basic eDp5"},
            {"Authorization": "OAuth rubbish"},
            self.sign("GET", "/", "nobody"),
            self.sign("GET", "/", secret="wrong"),
            self.sign("GET", "/other"),
            self.sign("PUT", "/"),
            self.sign("GET", "/", timestamp=str(now - 700)),
            self.sign("GET", "/", timestamp=str(now + 700)),
            self.sign("GET", "/", signature_method="PLAINTEXT"),
            good,
        ):
            answer = self.call("GET", "/", headers)
            self.assertEqual((answer.status, answer.body), (401, b""), headers)
            self.assertTrue(answer.headers["www-authenticate"].startswith("OAuth"))

    def test_before_the_body(self) -> None:
        """An upload of a stranger is refused before its body comes."""
        wire = Wire(self.site)
        wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(read_reply(wire.received()).status, 401)

    def test_body_hash_of_an_upload(self) -> None:
        """Is checked while the body comes: another body is not stored, whole or in parts."""
        self.store.create_bucket("b")
        client = Client("factory", client_secret="hush", timestamp=str(int(self.clock.seconds())))
        parts = {"X-Warehouse-Upload": "u", "Content-Range": "bytes 0-6/7"}
        for more in ({}, parts):
            for body, status in ((b"another", 401), (b"a value", 201)):
                _, headers, _ = client.sign(f"http://{HOST}/b/k", "PUT", "a value", {"Content-Type": "text/plain"})
                self.assertIn("oauth_body_hash", headers["Authorization"])
                self.assertEqual(self.call("PUT", "/b/k", {**headers, **more}, body).status, status, more)
                self.assertEqual(len(self.blobs()), int(bool(more) or status == 201))
        self.assertEqual(self.call("GET", "/b/k", self.sign("GET", "/b/k")).body, b"a value")

    def test_leave_to_send(self) -> None:
        """Who waits for it gets it for a good signature only, and that counts once."""
        for body, content_type in ((b"a value", "text/plain"), (b"_key=k&a=1", FORM["Content-Type"])):
            path = "/b/k/a" if content_type == "text/plain" else "/b"
            method = "PUT" if content_type == "text/plain" else "POST"
            client = Client("factory", client_secret="hush", timestamp=str(int(self.clock.seconds())))
            _, good, _ = client.sign(f"http://{HOST}{path}", method, body.decode(), {"Content-Type": content_type})
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n"
            )
            stranger = Wire(self.site)
            stranger.send(f"{head}Content-Type: {content_type}\r\n\r\n".encode())
            self.assertEqual(read_reply(stranger.received()).status, 401)
            for sent, status in ((body, {200, 201}), (body, {401})):
                wire = Wire(self.site)
                wire.send((head + "".join(f"{name}: {value}\r\n" for name, value in good.items()) + "\r\n").encode())
                told = wire.received()
                if told == b"HTTP/1.1 100 Continue\r\n\r\n":
                    wire.send(sent)
                    told = wire.received()
                self.assertIn(read_reply(told).status, status)

    def test_body_hash_after_leave(self) -> None:
        """The body that was allowed must be the one that was signed."""
        client = Client("factory", client_secret="hush", timestamp=str(int(self.clock.seconds())))
        _, good, _ = client.sign(f"http://{HOST}/b/k/a", "PUT", "a value", {"Content-Type": "text/plain"})
        self.assertEqual(self.call("PUT", "/b/k/a", {**good, "Expect": "100-continue"}, b"another").status, 401)

    def test_a_wrong_call_uses_up_no_nonce(self) -> None:
        """Who cannot sign cannot make another's call fail."""
        good = self.sign("GET", "/")
        forged = {"Authorization": good["Authorization"].replace('oauth_signature="', 'oauth_signature="x')}
        self.assertEqual(self.call("GET", "/", forged).status, 401)
        self.assertEqual(self.call("GET", "/", good).status, 200)

    def test_health_is_open(self) -> None:
        """Whether the warehouse works is no secret."""
        self.assertEqual(self.call("GET", "/_health", {}).status, 200)


class UsersFileTests(SynchronousTestCase):
    """The file of users."""

    def write(self, text: str, mode: int = 0o600) -> Path:
        """A file with this content."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "users.json"
        path.write_text(text)
        os.chmod(path, mode)
        return path

    def test_read(self) -> None:
        """Names and secrets, which do not show."""
        users = load_users(self.write('[{"name": "a", "secret": "b"}]'))
        self.assertEqual({name: secret.reveal() for name, secret in users.items()}, {"a": "b"})
        self.assertNotIn("'b'", repr(users))

    def test_refused(self) -> None:
        """Readable by others, absent, no JSON, of another shape, or with an empty secret."""
        good = '[{"name": "a", "secret": "b"}]'
        for path in (
            self.write(good, 0o644),
            self.write(good, 0o640),
            self.write("{"),
            self.write("[1]"),
            self.write('[{"name": "a"}]'),
            self.write('[{"name": "a", "secret": ""}]'),
            self.write('[{"name": "", "secret": "b"}]'),
            self.write('[{"name": "a", "secret": null}]'),
            Path("/nowhere"),
        ):
            self.assertRaises(InvalidInput, load_users, path)
