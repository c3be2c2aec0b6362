"""Several resources on one site."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from imagefactory.rest.reply import RestReply
from imagefactory.rest.route_table import Route
from tests.rest.service import ServiceTestCase
from tests.rest.tables import TableTestCase, table


class Page(Resource):
    """Tells where it was found."""

    isLeaf = True

    def __init__(self, name: str = "page") -> None:
        super().__init__()
        self.name = name

    def render_GET(self, request: Request) -> bytes:
        return b" ".join([self.name.encode(), b"/".join(request.prepath or []), b"/".join(request.postpath or [])])


class BesideTheApiTests(ServiceTestCase):
    """A web page, for example."""

    def test_a_second_resource(self) -> None:
        """It has what is below its prefix, and the API answers as before."""
        self.serve_with({"/web": Page()})
        for path, seen in (("/web", b"page web "), ("/web/", b"page web "), ("/web/a/b%2Fc?d", b"page web a/b/c")):
            self.assertEqual(self.wire.ask("GET", path).body, seen, path)
        self.assertEqual(self.wire.ask("GET", "/imagefactory").json["version"], "1.0")
        self.assertEqual(self.wire.ask("GET", "/health").status, 200)
        for path in ("/webs", "/we", "/imagefactory/web", "//web", "/"):
            self.assertEqual(self.wire.ask("GET", path).status, 404, path)

    def test_a_tree(self) -> None:
        """Children are found as twisted.web finds them."""
        tree = Resource()
        tree.putChild(b"style.css", Page("style"))
        self.serve_with({"/web": tree})
        self.assertEqual(self.wire.ask("GET", "/web/style.css").body, b"style web/style.css ")
        self.assertEqual(self.wire.ask("GET", "/web/none").status, 404)

    def test_the_root(self) -> None:
        """A page at / leaves health and metrics where they are."""
        self.serve_with({"": Page()})
        self.assertEqual(self.wire.ask("GET", "/index.html").body, b"page  index.html")
        self.assertEqual(self.wire.ask("GET", "/health").json["status"], "ok")
        self.assertIn(b"imagefactory_jobs", self.wire.ask("GET", "/metrics").body)
        self.assertEqual(self.wire.ask("GET", "/imagefactory/none").json["error"], "no such resource")

    def test_below_the_api(self) -> None:
        """The longest prefix decides: another version may be mounted below the first."""
        self.serve_with({"/imagefactory/v2": Page()})
        self.assertEqual(self.wire.ask("GET", "/imagefactory/v2/images").body, b"page imagefactory/v2 images")
        self.assertEqual(self.wire.ask("GET", "/imagefactory/images").json["_type"], "images")

    def serve_with(self, mounts: dict[str, Resource]) -> None:
        """Start anew with these resources, too."""
        self.mounts = mounts
        self.serve()


class SecondVersionTests(TableTestCase):
    """Two route tables with services, errors and bodies of their own."""

    def test_side_by_side(self) -> None:
        """Each answers with its handlers and in its words."""

        def fields(services: str, call: Any) -> RestReply:
            return RestReply(f"{services} {call.fields}".encode())

        second = table(Route("POST", "/v2/things", fields, "Things"))
        self.mount(second, services="two", web=Page())
        self.assertEqual(
            self.wire.ask("POST", "/v2/things", b"a b", headers=[("Content-Type", "x/y")]).body,
            b"two {'type': 'x/y', 'words': ['a', 'b']}",
        )
        self.assertEqual(self.wire.ask("GET", "/v2/none").json["do"], "see /v2/routes")
        refused = self.wire.ask("DELETE", "/v2/things")
        self.assertEqual((refused.status, refused.headers["allow"]), (405, "POST"))
        self.assertEqual(refused.json["problem"], "method not allowed here")
        self.assertEqual(self.wire.ask("GET", "/web/x").body, b"page web x")

    def test_nothing_mounted(self) -> None:
        """404 in the words of the site; what is no request is 400."""
        self.serve({})
        self.assertEqual(self.wire.ask("GET", "/").status, 404)
        malformed = self.wire.ask("GET", "/%ff")
        self.assertEqual(malformed.json["problem"], "the request's address or method is malformed")


PREFIXES = st.lists(st.sampled_from("ab"), max_size=3).map(tuple)


class PrefixTests(SynchronousTestCase):
    """How a mounted resource is chosen."""

    @given(
        st.sets(st.lists(st.sampled_from("ab"), max_size=3).map(tuple)), st.lists(st.sampled_from("abc"), max_size=4)
    )
    def test_the_longest_prefix_decides(self, prefixes: set[tuple[str, ...]], path: list[str]) -> None:
        """Of whole segments, whatever else is mounted."""
        case = TableTestCase()
        case.setUp()
        case.serve({"".join(f"/{part}" for part in prefix): Page("".join(prefix)) for prefix in prefixes})
        answer = case.wire.ask("GET", "/" + "/".join(path))
        fitting = [prefix for prefix in prefixes if tuple(path[: len(prefix)]) == prefix]
        if not fitting:
            self.assertEqual(answer.status, 404)
        else:
            longest = max(fitting, key=len)
            rest = path[len(longest) :]
            self.assertEqual(answer.body.decode(), f"{''.join(longest)} {'/'.join(longest)} {'/'.join(rest)}")

    def test_prefixes_are_paths(self) -> None:
        """What no path could begin with is a mistake where the site is put together."""
        case = TableTestCase()
        case.setUp()
        for prefix in ("web", "/web/", "/", "/a//b"):
            with self.assertRaises(ValueError):
                case.serve({prefix: Page()})
