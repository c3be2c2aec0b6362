"""Fetching what others named by URL: where it may lead, and what may come back."""

from collections.abc import Sequence
from json import loads

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent
from zope.interface import implementer

from imagefactory.lib.errors import FactoryError, Forbidden, InvalidInput, TooLarge, Unavailable
from imagefactory.lib.http.address_policy import literal, networks, permitted
from imagefactory.lib.http.connecting import first_of
from imagefactory.lib.http.guarded import CheckedEndpoint, CheckedEndpoints, GuardedFetcher, Rules

INSIDE = (
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "100.64.0.1",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "ff02::1",
    "fec0::1",
    "::7f00:1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::7f00:1",
    "3fff::1",
    "5f00::1",
    "2001:db8::1",
    "2001:0:7f00:1::",
    "2a00:1450::5efe:127.0.0.1",
)


class AddressTests(SynchronousTestCase):
    """Public addresses, and nothing else unless allowed."""

    def test_inside(self) -> None:
        """Loopback, link-local, private and their disguises are not permitted."""
        self.assertEqual([], [address for address in INSIDE if permitted(address, ())])

    def test_outside(self) -> None:
        """Public addresses are."""
        self.assertTrue(permitted("93.184.216.34", ()))
        self.assertTrue(permitted("2606:2800:220:1::1", ()))
        self.assertTrue(permitted("64:ff9b::93.184.216.34", ()))

    def test_allowed_networks(self) -> None:
        """An administrator may open a network, and only that."""
        allowed = networks(["10.0.0.0/8", "fd00::/8"])
        self.assertEqual([True, True, False], [permitted(one, allowed) for one in ("10.1.2.3", "fd00::1", "127.0.0.1")])

    @given(st.ip_addresses(v=4, network="127.0.0.0/8"))
    def test_no_way_to_loopback(self, address: object) -> None:
        """However it is wrapped."""
        for text in (f"{address}", f"::ffff:{address}", f"64:ff9b::{address}"):
            self.assertFalse(permitted(text, ()))

    def test_literals(self) -> None:
        """A host that is an address is not asked of the resolver."""
        self.assertEqual(("::1", "10.0.0.1", None), (literal("[::1]"), literal("10.0.0.1"), literal("localhost")))


class EndpointTests(SynchronousTestCase):
    """What is checked is what is connected to."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.resolved: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.resolved.append(host)
        if host == "nowhere.example":
            raise OSError("unknown host")
        known = {
            "inside.example": ["93.184.216.34", "127.0.0.1"],
            "two.example": ["2606:2800:220:1::1", "93.184.216.34"],
            "none.example": [],
        }
        return known.get(host, ["93.184.216.34"])

    def connect(self, addresses: Sequence[str], port: int) -> IStreamClientEndpoint:
        return first_of(self.reactor, 30)(addresses, port)

    def endpoint(self, host: str) -> CheckedEndpoint:
        return CheckedEndpoint(host, 80, Rules(), self.resolve, self.connect)

    def test_one_resolution(self) -> None:
        """The name is resolved once, and the connection goes to the address that came of it."""
        self.endpoint("public.example").connect(None)  # type: ignore[arg-type]
        self.assertEqual(["public.example"], self.resolved)
        self.assertEqual([("93.184.216.34", 80)], [client[:2] for client in self.reactor.tcpClients])

    def test_one_bad_address_is_enough(self) -> None:
        """A name that also means an inside address is refused."""
        self.failureResultOf(self.endpoint("inside.example").connect(None), Forbidden)  # type: ignore[arg-type]
        self.failureResultOf(self.endpoint("127.0.0.1").connect(None), Forbidden)  # type: ignore[arg-type]
        self.assertEqual([], self.reactor.tcpClients)

    def test_trusted_servers(self) -> None:
        """A server that the administrator named may be anywhere; another port of its host is another server."""

        async def trusts(host: str, port: int) -> bool:
            return (host, port) in {("127.0.0.1", 80), ("inside.example", 80), ("::1", 80)}

        rules = Rules(trusts=trusts)
        for host in ("127.0.0.1", "inside.example", "[::1]"):
            CheckedEndpoint(host, 80, rules, self.resolve, self.connect).connect(None)  # type: ignore[arg-type]
            other = CheckedEndpoint(host, 81, rules, self.resolve, self.connect)
            self.failureResultOf(other.connect(None), Forbidden)  # type: ignore[arg-type]
        self.assertEqual(3, len(self.reactor.tcpClients))

    def test_a_public_server_needs_no_trust(self) -> None:
        """What may take time is not asked about it."""

        async def trusts(_host: str, _port: int) -> bool:
            raise AssertionError("asked")

        endpoint = CheckedEndpoint("public.example", 80, Rules(trusts=trusts), self.resolve, self.connect)
        endpoint.connect(None)  # type: ignore[arg-type]
        self.assertEqual(1, len(self.reactor.tcpClients))

    def test_the_refusal_names_the_line_to_add(self) -> None:
        """With what is allowed already, and with the address that is meant."""
        for host, allowed, line in (
            ("inside.example", ["10.0.0.0/8"], '"more_networks": ["10.0.0.0/8", "127.0.0.1/32"]'),
            ("[::ffff:192.168.1.2]", [], '"more_networks": ["192.168.1.2/32"]'),
            ("[fd00::1]", [], '"more_networks": ["fd00::1/128"]'),
        ):
            rules = Rules(networks=networks(allowed), setting="more_networks")
            endpoint = CheckedEndpoint(host, 80, rules, self.resolve, self.connect)
            error = self.failureResultOf(endpoint.connect(None), Forbidden).value  # type: ignore[arg-type]
            self.assertIn(line, error.hint)
            opened = networks(loads("{" + line + "}")["more_networks"])
            for address in self.successResultOf(Deferred.fromCoroutine(self.resolve(host.strip("[]")))):
                if literal(host) is None:
                    self.assertTrue(permitted(address, opened))

    def test_unknown_host(self) -> None:
        """Said as such; so is a host without any address."""
        for host in ("nowhere.example", "none.example"):
            error = self.failureResultOf(self.endpoint(host).connect(None), Unavailable).value  # type: ignore[arg-type]
            self.assertIn(f"cannot resolve {host}", str(error))

    def test_a_silent_address_takes_no_time_of_the_next(self) -> None:
        """The second address is tried while the first one has not answered, and wins."""
        connecting = self.endpoint("two.example").connect(Factory.forProtocol(Protocol))
        self.reactor.advance(0.1)
        self.assertEqual([client[0] for client in self.reactor.tcpClients], ["2606:2800:220:1::1"])
        self.reactor.advance(0.3)
        host, port, factory, *_ = self.reactor.tcpClients[1]
        self.assertEqual((host, port), ("93.184.216.34", 80))
        factory.buildProtocol(None).makeConnection(StringTransport())
        self.assertIsInstance(self.successResultOf(connecting), Protocol)

    def test_no_address_answers(self) -> None:
        """The reason of one of them is given."""
        connecting = self.endpoint("public.example").connect(Factory.forProtocol(Protocol))
        connector = self.reactor.connectors[0]
        self.reactor.tcpClients[0][2].clientConnectionFailed(connector, Failure(Refused()))
        self.reactor.advance(1)
        self.assertIn("refused", str(self.failureResultOf(connecting, Unavailable).value))

    def test_the_agent_uses_it(self) -> None:
        """For both schemes."""
        agent = Agent.usingEndpointFactory(self.reactor, CheckedEndpoints(Rules(), self.resolve, self.connect))
        for scheme in (b"http", b"https"):
            self.failureResultOf(agent.request(b"GET", scheme + b"://127.0.0.1/"), Forbidden)


class FakeResponse:
    """An answer whose body comes in pieces."""

    def __init__(self, code: int, pieces: Sequence[bytes] = (), location: str = "", *, whole: bool = True) -> None:
        self.code = code
        self.headers = Headers({"location": [location]} if location else {})
        self._pieces = pieces
        self._whole = whole

    def deliverBody(self, protocol: object) -> None:  # noqa: N802
        protocol.makeConnection(StringTransport())  # type: ignore[attr-defined]
        for piece in self._pieces:
            protocol.dataReceived(piece)  # type: ignore[attr-defined]
        end: Exception = ResponseDone() if self._whole else ResponseFailed([])
        protocol.connectionLost(Failure(end))  # type: ignore[attr-defined]


@implementer(IAgent)
class FakeAgent:
    """Answers as told."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def request(self, method: bytes, uri: bytes, headers: object = None, body: object = None) -> Deferred[object]:
        self.asked.append(uri.decode())
        self.sent = headers
        answer = self.answers[uri.decode().rpartition("/")[2]]
        if isinstance(answer, Deferred):
            return answer
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)


class FetcherTests(SynchronousTestCase):
    """Documents."""

    def setUp(self) -> None:
        self.clock = Clock()

    def fetch(self, url: str, **answers: object) -> Deferred[bytes]:
        self.agent = FakeAgent(**answers)
        fetcher = GuardedFetcher(self.agent, Rules(limit=10), self.clock)
        return Deferred.fromCoroutine(fetcher.fetch(url))

    def refusal(self, kind: type[FactoryError], url: str = "https://public.example/a", **answers: object) -> str:
        return str(self.failureResultOf(self.fetch(url, **answers), kind).value)

    def test_whole(self) -> None:
        """The body, up to the limit."""
        self.assertEqual(
            b"0123456789",
            self.successResultOf(self.fetch("http://x/a", a=FakeResponse(200, [b"01234", b"56789"]))),
        )

    def test_too_large(self) -> None:
        """One byte more is refused."""
        self.refusal(TooLarge, a=FakeResponse(200, [b"0" * 11]))

    def test_no_body_in_errors(self) -> None:
        """An error never tells what the answer said, nor what is secret in the URL."""
        text = self.refusal(Unavailable, "https://me:pass@x/a?token=1", **{"a?token=1": FakeResponse(500, [b"hush"])})
        for secret in ("hush", "pass", "token"):
            self.assertNotIn(secret, text)

    def test_user_and_password(self) -> None:
        """Those in a URL are sent as Basic, to that host alone, and are in no URL that is asked for."""
        answers = {"a": FakeResponse(302, location="b"), "b": FakeResponse(200, [b"x"])}
        self.successResultOf(self.fetch("http://me:p%40ss@x:8/a", **answers))
        self.assertEqual(self.agent.asked, ["http://x:8/a", "http://x:8/b"])
        basic = ["Basic bWU6cEBzcw=="]
        self.assertEqual(self.agent.sent.getRawHeaders("authorization"), basic)  # type: ignore[attr-defined]
        answers = {"a": FakeResponse(302, location="http://y/b"), "b": FakeResponse(200, [b"x"])}
        self.successResultOf(self.fetch("http://me:pass@x/a", **answers))
        self.assertIsNone(self.agent.sent.getRawHeaders("authorization"))  # type: ignore[attr-defined]

    def test_what_is_no_url(self) -> None:
        """The caller's mistake; as the target of a redirect it is that of the server."""
        bad = (
            "http://[::1/",
            "http://a b/",
            "http://x:abc/",
            "http://x:99999/",
            "http://a_%/",
            "http://-/",
            "http://x/\ty",
        )
        for url in bad:
            self.refusal(InvalidInput, url)
        for url in ("http://[::1/", "//[x/", "http://x:abc/"):
            self.assertIn("redirects to", self.refusal(Unavailable, a=FakeResponse(302, location=url)))

    def test_broken_off(self) -> None:
        """Half a body is none."""
        self.refusal(Unavailable, a=FakeResponse(200, [b"half"], whole=False))

    def test_redirects(self) -> None:
        """They are followed a few times, and each is judged again."""
        self.assertEqual(
            b"x",
            self.successResultOf(
                self.fetch("http://x/a", a=FakeResponse(302, location="b"), b=FakeResponse(200, [b"x"]))
            ),
        )
        self.refusal(Unavailable, a=FakeResponse(302, [b"body"], location="a"))
        self.refusal(Forbidden, a=FakeResponse(302, location="file:///etc/passwd"))

    def test_schemes(self) -> None:
        """Only those allowed."""
        for url in ("ftp://x/a", "file:///etc/passwd", "http:///a", "gopher://x"):
            self.refusal(Forbidden, url)
        self.refusal(InvalidInput, "http://x/\xe9")

    def test_no_connection(self) -> None:
        """A failure below HTTP is our error, too; one of ours stays what it is."""
        self.refusal(Unavailable, a=Refused())
        self.refusal(Forbidden, a=Forbidden("inside"))

    def test_time(self) -> None:
        """An answer that does not come is given up."""
        waiting = self.fetch("http://x/a", a=Deferred())
        self.clock.advance(31)
        self.failureResultOf(waiting, Unavailable)
