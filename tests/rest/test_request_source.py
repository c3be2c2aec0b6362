"""What web pages send to a service that asks for no signature."""

from imagefactory.lib.secret import Secret
from tests.rest.service import TEMPLATE, ServiceTestCase

IMAGES = "/imagefactory/images"
LOOPBACK = ("localhost:8075", "127.0.0.1:8075", "[::1]:8075", "LOCALHOST", "factory.example:1", "made.example")


class OpenTests(ServiceTestCase):
    """Without OAuth."""

    def build_from(self, **headers: str) -> int:
        """Returns the status of a form that builds, sent with these headers (`Sec_Fetch_Site` for Sec-Fetch-Site)."""
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.answer = self.wire.form("POST", IMAGES, {"template": TEMPLATE, "targets": "mock"}, headers=sent)
        return self.answer.status

    def test_names_of_others_are_refused(self) -> None:
        """Reads, writes and /health: a page whose name leads here by DNS rebinding sees nothing and changes nothing."""
        for host in ("evil.example", "evil.example:8075", "localhost.evil.example", "192.0.2.1:8075", "a@localhost"):
            for method, path in (("GET", "/imagefactory/builders"), ("DELETE", IMAGES + "/i1"), ("GET", "/health")):
                answer = self.wire.ask(method, path, host=host)
                self.assertEqual(answer.status, 403, (host, path))
                self.assertIn("rest_names", answer.json["hint"])
        self.assertEqual(self.wire.ask("GET", IMAGES + "/i1").status, 200)

    def test_own_names(self) -> None:
        """Loopback in all spellings, and what the settings name."""
        self.serve(rest_names=("Factory.example",), ssl_names=("made.example",))
        for host in LOOPBACK:
            self.assertEqual(self.wire.ask("GET", "/imagefactory/builders", host=host).status, 200, host)

    def test_pages_of_others_build_nothing(self) -> None:
        """A form needs no preflight; browsers say from where it comes."""
        for headers in (
            {"Origin": "http://evil.example", "Sec_Fetch_Site": "cross-site"},
            {"Origin": "null"},
            {"Origin": "https://factory.example:8075"},
            {"Origin": "http://factory.example:9090"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "cross-site"},
        ):
            self.assertEqual(self.build_from(**headers), 403, headers)
            self.assertIn("program", self.answer.json["hint"])
        self.assertEqual(self.jobs.requests, [])

    def test_programs_and_own_pages_build(self) -> None:
        """Without such headers, from the same origin, or typed in by the user."""
        for headers in (
            {},
            {"Origin": "http://Factory.example:8075", "Sec_Fetch_Site": "same-origin"},
            {"Sec_Fetch_Site": "none"},
        ):
            self.assertEqual(self.build_from(**headers), 202, headers)

    def test_the_first_origin_is_not_the_only_one(self) -> None:
        """Each of several headers has to be good."""
        both = [("Origin", "http://evil.example"), ("Origin", "http://factory.example:8075")]
        self.assertEqual(self.wire.ask("GET", "/imagefactory/builders", headers=both).status, 403)

    def test_proxies(self) -> None:
        """What the client of a trusted proxy wrote counts; others cannot say what was written."""
        forwarded = [("X-Forwarded-Host", "evil.example")]
        self.assertEqual(self.wire.ask("GET", "/health", headers=forwarded).status, 200)
        self.serve(trusted_proxies=("192.0.2.0/24",))
        self.assertEqual(self.wire.ask("GET", "/health", headers=forwarded).status, 403)


class SignedTests(ServiceTestCase):
    """With OAuth: only open reads of a loopback service are checked."""

    settings = {"clients": {"mock-key": Secret("mock-secret")}, "address": "127.0.0.1", "oauth_reads": False}  # noqa: RUF012

    def test_open_reads(self) -> None:
        """Rebinding shows nothing; a link from another page does, to its reader."""
        self.assertEqual(self.wire.ask("GET", "/imagefactory/builders", host="evil.example").status, 403)
        linked = [("Sec-Fetch-Site", "cross-site")]
        answer = self.wire.ask("GET", "/imagefactory/builders", host="localhost:8075", headers=linked)
        self.assertEqual(answer.status, 200)

    def test_signed_requests_and_other_addresses(self) -> None:
        """A signature has the name in it; in a network a host has names that it does not know."""
        self.assertEqual(self.wire.ask("DELETE", IMAGES + "/i1", host="evil.example").status, 401)
        self.serve(address="0.0.0.0")
        self.assertEqual(self.wire.ask("GET", "/imagefactory/builders", host="cname.example").status, 200)
