"""Authentication: vectors recorded from the client of version 1.0, replay, time, places, hashes; lists of schemes."""

import json

from oauthlib.oauth1 import Client

from imagefactory.lib.errors import Unauthorized
from imagefactory.lib.secret import Secret
from imagefactory.rest.authentication import Authenticator
from imagefactory.rest.call import RestCall
from imagefactory.rest.oauth import OAuthScheme
from imagefactory.rest.reply import RestReply
from imagefactory.rest.route_table import Route
from imagefactory.testing.wire import WireReply
from tests.rest.service import TEMPLATE, ServiceTestCase
from tests.rest.tables import TableTestCase, TokenScheme, table

IMAGES = "/imagefactory/images"
FORM = {"template": TEMPLATE, "targets": "mock"}
BODY = json.dumps(FORM)
RECORDED = {
    "oauth_body_hash": "iLFFmVptnUF4tv9PvDNdNxK%2FSOs%3D",
    "oauth_consumer_key": "mock-key",
    "oauth_nonce": "dESbWyTyKA0UTHekLdt7DOSOFh6tYU39Mw7LpFkts",
    "oauth_signature": "ydhBMjipuQ7ARZT5xfOrvShZfHI%3D",
    "oauth_signature_method": "HMAC-SHA1",
    "oauth_timestamp": "1318873100",
    "oauth_version": "1.0",
}


def header(parameters: dict[str, str]) -> tuple[str, str]:
    """An Authorization header."""
    return "Authorization", "OAuth " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


class OAuthTestCase(ServiceTestCase):
    """A service with one client."""

    settings = {"clients": {"mock-key": Secret("mock-secret")}, "oauth_reads": False}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.clock.rightNow = 1318873100.0

    def signed(self, method: str = "POST", path: str = IMAGES, body: str = BODY, **more: object) -> int:
        """Send a request signed by oauthlib; the status."""
        options = {"secret": "mock-secret", "kind": "application/json", "place": "AUTH_HEADER", **more}
        client = Client(
            str(options.get("key", "mock-key")),
            client_secret=str(options["secret"]),
            signature_method=str(options.get("hashing", "HMAC-SHA1")),
            signature_type=str(options["place"]),
            timestamp=str(int(self.clock.seconds() + float(str(options.get("skew", 0))))),
            nonce=str(options["nonce"]) if "nonce" in options else None,
        )
        headers = {"Content-Type": str(options["kind"])} if body else {}
        uri, headers, body = client.sign("http://factory.example:8075" + path, method, body or None, headers)
        self.last = (method, uri.removeprefix("http://factory.example:8075"), (body or "").encode())
        self.headers = list(headers.items())
        return self.again()

    def again(self, body: bytes | None = None) -> int:
        """Send the same bytes once more, or with another body."""
        method, path, sent = self.last
        self.answer = self.wire.ask(method, path, sent if body is None else body, headers=self.headers)
        return self.answer.status


class VectorTests(OAuthTestCase):
    """What image-gem sent to version 1.0, as recorded."""

    def ask(self, parameters: dict[str, str], body: bytes) -> int:
        """POST to the address of the recording."""
        headers = [header(parameters), ("Content-Type", "application/json")]
        self.answer = self.wire.ask("POST", IMAGES, body, host="127.0.0.1:8075", headers=headers)
        return self.answer.status

    def test_the_recorded_signature_is_good_but_not_for_another_body(self) -> None:
        """The signature passes; the body (ours, not the recorded one) is what the hash refuses."""
        self.assertEqual(self.ask(RECORDED, b"{}"), 401)
        self.assertIn("body", self.answer.json["error"])
        self.assertEqual(len(self.jobs), 0)

    def test_the_recorded_failure_stays_one(self) -> None:
        """Signed with another secret."""
        wrong = {
            **RECORDED,
            "oauth_body_hash": "tEAlC3IwCGiB%2FNSQRUOwBifTHmY%3D",
            "oauth_nonce": "jeQp5OlYxoCbbflwdM9nfg306BUVfmidPYKV7qPOs",
            "oauth_signature": "ERZpwVUR4qdBjfeBTJQtem%2FnKTo%3D",
        }
        self.assertEqual(self.ask(wrong, b"{}"), 401)
        self.assertIn("wrong signature", self.answer.json["error"])
        right = {**wrong, "oauth_signature": "w%2FSVMMRzVhDKSt0CWx6EKjh%2B9OU%3D"}
        self.ask(right, b"{}")
        self.assertIn("body", self.answer.json["error"])

    def test_the_address_counts(self) -> None:
        """The same parameters for another host are another signature."""
        headers = [header(RECORDED), ("Content-Type", "application/json")]
        self.wire.ask("POST", IMAGES, b"{}", host="localhost:8075", headers=headers)
        answer = self.wire.ask("POST", IMAGES, b"{}", host="localhost:8075", headers=headers)
        self.assertIn("wrong signature", answer.json["error"])


class SignedTests(OAuthTestCase):
    """Requests signed by an independent library."""

    def test_places_and_methods(self) -> None:
        """Header, query and form; SHA-1 and SHA-256; JSON with its hash; fields with letters of all kinds."""
        form = "application/x-www-form-urlencoded"
        fields = "template=%3Ctemplate%3E%3Cname%3E%C3%A4%20%2B%26%3C%2Fname%3E%3C%2Ftemplate%3E&targets=mock"
        fields = fields.replace("%26", "%26amp%3B")
        self.assertEqual(self.signed(), 202)
        self.assertEqual(self.signed(hashing="HMAC-SHA256"), 202)
        self.assertEqual(self.signed(place="QUERY"), 202)
        for place in ("AUTH_HEADER", "QUERY", "BODY"):
            self.assertEqual(self.signed(place=place, kind=form, body=fields), 202, (place, self.answer.body))
        self.assertEqual(self.signed("DELETE", "/imagefactory/images/i1", body=""), 204)

    def test_forms_are_signed(self) -> None:
        """One field changed on the way is noticed."""
        self.signed(kind="application/x-www-form-urlencoded", body="template=%3Ctemplate%2F%3E&targets=mock")
        self.assertEqual(self.again(b"template=%3Ctemplate%2F%3E&targets=mock;build_id=b1"), 401)
        self.assertEqual(self.again(b"template=%3Ctemplate%2F%3E&targets=mock,ec2"), 401)

    def test_a_form_that_does_not_say_so(self) -> None:
        """Is read as one, so it has to be signed as one: a body under a signature without one is not let in."""
        body = "template=%3Ctemplate%2F%3E&targets=mock"
        for signed, status in ((body, 202), (None, 401)):
            client = Client("mock-key", client_secret="mock-secret", timestamp="1318873100")
            form = {"Content-Type": "application/x-www-form-urlencoded"} if signed else {}
            _, headers, _ = client.sign("http://factory.example:8075" + IMAGES, "POST", signed, form)
            sent = [("Authorization", headers["Authorization"])]
            self.assertEqual(self.wire.ask("POST", IMAGES, body.encode(), headers=sent).status, status)
        self.assertEqual(len(self.jobs), 1)

    def test_large_bodies(self) -> None:
        """Verified in a thread, with the same outcome: good, changed on the way, unsigned, no form."""
        form = "application/x-www-form-urlencoded"
        name = "x" * 100_000
        fields = f"template=%3Ctemplate%3E%3Cname%3E{name}%3C%2Fname%3E%3C%2Ftemplate%3E&targets=mock"
        for place in ("AUTH_HEADER", "BODY"):
            self.assertEqual(self.signed(place=place, kind=form, body=fields), 202, self.answer.body)
            self.assertEqual(self.again(), 401)
        self.assertEqual(self.signed(kind=form, body=fields, secret="other"), 401)
        self.signed(kind=form, body=fields, nonce="n1n1n1n1n1n1n1n1n1n1n1")
        self.assertEqual(self.again(fields.encode() + b";build_id=b1"), 401)
        self.assertEqual(self.wire.ask("POST", IMAGES, b"%" * 100_000, headers=[("Content-Type", form)]).status, 401)
        self.assertEqual(self.signed(body=json.dumps({**FORM, "x": name})), 202)

    def test_unknown_clients_make_no_work(self) -> None:
        """A large form is refused by the key alone: its fields are not read, which takes seconds and memory."""
        form = "application/x-www-form-urlencoded"
        fields = "template=%3Ctemplate%2F%3E&targets=mock&x=" + "y" * 100_000
        self.patch(OAuthScheme, "verify", _refuse)
        self.assertEqual(self.signed(kind=form, body=fields, key="unknown"), 401)
        self.assertEqual(self.answer.json["error"], "OAuth: unknown client or wrong signature")
        self.assertEqual(self.signed(kind=form, body=fields, key="unknown", place="QUERY"), 401)
        self.assertEqual(self.answer.json["error"], "OAuth: unknown client or wrong signature")

    def test_huge_forms(self) -> None:
        """Are refused before their fields are sorted, whoever sends them; JSON may be larger."""
        form = "application/x-www-form-urlencoded"
        fields = "template=%3Ctemplate%2F%3E&targets=mock&x=" + "y" * (1 << 20)
        for kind, body in ((form, fields), ("", fields)):
            client = Client("mock-key", client_secret="mock-secret", timestamp="1318873100")
            _, headers, _ = client.sign("http://factory.example:8075" + IMAGES, "POST")
            sent = [("Authorization", headers["Authorization"]), *([("Content-Type", kind)] if kind else [])]
            answer = self.wire.ask("POST", IMAGES, body.encode(), headers=sent)
            self.assertIn((answer.status, "JSON" in answer.json["hint"]), [(413, True)], kind)
        self.assertEqual(self.signed(body=json.dumps({**FORM, "x": "y" * (1 << 20)})), 202)

    def test_replay(self) -> None:
        """The same request a second time; it happened once."""
        self.assertEqual(self.signed(), 202)
        self.assertEqual(self.again(), 401)
        self.assertIn("used before", self.answer.json["error"])
        self.assertEqual(len(self.jobs), 1)

    def test_flat_push_is_checked_once(self) -> None:
        """Version 1.0 checked POST of provider_images twice, which no nonce survives."""
        push = json.dumps({"provider": "mock", "credentials": "<c/>", "image_id": "i1"})
        self.assertEqual(self.signed(path="/imagefactory/provider_images", body=push), 202)

    def test_time(self) -> None:
        """300 seconds both ways; the refusal names the difference."""
        for skew, status in ((-299, 202), (299, 202), (-301, 401), (301, 401)):
            self.assertEqual(self.signed(skew=skew), status, skew)
        self.assertIn("301 s in the future", self.answer.json["error"])

    def test_refusals(self) -> None:
        """Unsigned, wrong secret, unknown key, PLAINTEXT: 401, a challenge, no base string, nothing started."""
        self.assertEqual(self.wire.json("POST", IMAGES, FORM).status, 401)
        self.assertEqual(self.signed(secret="other"), 401)
        wrong_secret = self.answer
        self.assertEqual(self.signed(key="unknown"), 401)
        self.assertEqual(self.answer.body, wrong_secret.body)
        self.assertEqual(self.answer.headers["www-authenticate"], 'OAuth realm="imagefactory"')
        self.assertNotIn(b"POST&", self.answer.body)
        self.assertEqual(self.signed(hashing="PLAINTEXT"), 401)
        self.assertEqual(self.jobs.requests, [])

    def test_rubbish(self) -> None:
        """No header makes the daemon stumble."""
        for value in ("OAuth", "OAuth x", 'OAuth oauth_nonce="%zz"', "Basic Zm9v", "OAuth =,,,=", "OAuth \xff=\xfe"):
            headers = [("Authorization", value)]
            self.assertEqual(self.wire.ask("POST", IMAGES, b"x", headers=headers).status, 401, value)
        self.assertEqual(self.wire.ask("POST", IMAGES + "?a=<%zz&%", b"x").status, 401)
        twice = [header(RECORDED), header(RECORDED)]
        self.assertEqual(self.wire.ask("POST", IMAGES, b"x", headers=twice).status, 401)

    def test_a_refused_request_fills_no_store(self) -> None:
        """Only good signatures leave a nonce: the right secret may use it after the wrong one tried."""
        self.signed(secret="other", nonce="n1n1n1n1n1n1n1n1n1n1n1")
        self.assertEqual(self.signed(nonce="n1n1n1n1n1n1n1n1n1n1n1"), 202)

    def test_reads_are_open(self) -> None:
        """With any browser, as before, if the settings say so."""
        for path in ("/imagefactory", "/imagefactory/builders", "/imagefactory/images", "/metrics"):
            self.assertEqual(self.wire.ask("GET", path).status, 200, path)

    def test_reads_on_demand(self) -> None:
        """With oauth_reads, and while nothing has decided on it, all but /health is signed."""
        for demanded in (True, None):
            self.serve(oauth_reads=demanded)
            self.assertEqual(self.wire.ask("GET", "/imagefactory/builders").status, 401)
            self.assertEqual(self.wire.ask("GET", "/health").status, 200)
            self.assertEqual(self.signed("GET", "/imagefactory/builders?limit=1", body=""), 200)

    def test_every_write_is_protected(self) -> None:
        """All of the table, unsigned."""
        from imagefactory.rest.v1.routes import ROUTES

        writes = [route for route in ROUTES if route.method != "GET"]
        for route in writes:
            path = route.path.replace("{", "").replace("}", "")
            self.assertEqual(self.wire.ask(route.method, path).status, 401, path)
        self.assertGreater(len(writes), 10)


class ProxiedTests(OAuthTestCase):
    """Behind a proxy that ends TLS."""

    def test_the_clients_address_is_signed(self) -> None:
        """Scheme and host from the proxy count if the proxy is trusted, and only then."""
        client = Client("mock-key", client_secret="mock-secret", timestamp="1318873100")
        uri = "https://factory.example/imagefactory/images"
        _, headers, _ = client.sign(uri, "POST", BODY, {"Content-Type": "application/json"})
        sent = [*headers.items(), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "factory.example")]
        self.assertEqual(self.wire.ask("POST", IMAGES, BODY.encode(), host="10.0.0.1:8075", headers=sent).status, 401)
        self.serve(trusted_proxies=("192.0.2.0/24",))
        answer = self.wire.ask("POST", IMAGES, BODY.encode(), host="10.0.0.1:8075", headers=sent)
        self.assertEqual(answer.status, 202)
        self.assertTrue(answer.json["href"].startswith(uri + "/"))


class SchemeListTests(TableTestCase):
    """Several schemes: the first whose credentials a request carries decides."""

    def setUp(self) -> None:
        super().setUp()
        self.token, self.cookie = TokenScheme(), TokenScheme("Cookie")
        self.cookie.challenge = b"Cookie"
        self.schemes = [self.token, self.cookie]
        self.mount(table(Route("POST", "/v2/guarded", _handled, "Guarded", protected=True)))

    def ask(self, authorization: str = "") -> WireReply:
        """A request to the guarded route."""
        headers = [("Authorization", authorization)] if authorization else []
        return self.wire.ask("POST", "/v2/guarded", headers=headers)

    def test_each_lets_in_its_own(self) -> None:
        """And the others are not asked."""
        self.assertEqual(self.ask("Token good").status, 200)
        self.assertEqual(self.cookie.steps, [])
        self.assertEqual(self.ask("Cookie good").status, 200)
        self.assertEqual((self.token.steps, self.cookie.steps), (["verify", "commit"], ["verify", "commit"]))

    def test_bad_credentials_are_not_made_good_by_another_scheme(self) -> None:
        """The scheme whose they are decides alone."""
        self.token.name = self.cookie.name = "Same"
        self.token.verify = _refuse  # type: ignore[method-assign]
        self.assertEqual(self.ask("Same good").status, 401)
        self.assertEqual(self.cookie.steps, [])

    def test_no_credentials(self) -> None:
        """The first scheme says what is missing; the challenge names all, in order."""
        for authorization in ("", "Basic Zm9v"):
            answer = self.ask(authorization)
            self.assertEqual((answer.status, answer.json["problem"]), (401, "Token: missing"))
            self.assertEqual(answer.headers["www-authenticate"], 'Token realm="tests", Cookie')

    def test_beside_oauth(self) -> None:
        """OAuth leaves alone what is not its own, wherever in the list it stands."""
        self.clock.advance(1_318_873_100)
        oauth = OAuthScheme({"mock-key": Secret("mock-secret")}, self.clock)
        for schemes in ([oauth, self.cookie], [self.cookie, oauth]):
            self.schemes = schemes
            self.mount(table(Route("POST", "/v2/guarded", _handled, "Guarded", protected=True)))
            self.assertEqual(self.ask(f"Cookie good {len(self.cookie.steps)}").status, 200)
            self.assertIn("OAuth: unknown client", self.ask_signed().json["problem"])
            self.assertEqual(self.ask("OAuth").status, 401)

    def ask_signed(self) -> WireReply:
        """A request that an unknown client has signed."""
        client = Client("other-key", client_secret="other", timestamp=str(int(self.clock.seconds())))
        _, headers, _ = client.sign("http://factory.example:8075/v2/guarded", "POST")
        return self.wire.ask("POST", "/v2/guarded", headers=list(headers.items()))

    def test_a_list_without_schemes_is_a_mistake(self) -> None:
        """It would let in nothing, or (worse) everything."""
        with self.assertRaises(ValueError):
            Authenticator([])


def _handled(services: object, call: RestCall) -> RestReply:
    return RestReply(b"ok")


def _refuse(call: RestCall) -> str:
    raise Unauthorized("not good")
