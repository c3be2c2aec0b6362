"""The API of iwhd, byte for byte where old clients look."""

from __future__ import annotations

import json

from imagefactory.testing.wire import Wire, read_reply
from tests.warehouse.serving import ServerTestCase

FORM = "application/x-www-form-urlencoded"


class RootTests(ServerTestCase):
    """GET / and buckets."""

    def test_root(self) -> None:
        """The root lists entry points and buckets, in XML and in JSON."""
        self.assertEqual(self.status("PUT", "/images"), 201)
        self.assertEqual(
            self.ask("GET", "/").body,
            b'<api service="image_warehouse" version="0.96">\n'
            b'\t<link rel="bucket_factory" href="http://localhost:9090/_new"/>\n'
            b'\t<link rel="provider_list" href="http://localhost:9090/_providers"/>\n'
            b'\t<link rel="bucket" href="http://localhost:9090/images"/>\n'
            b"</api>\n",
        )
        self.assertEqual(
            self.ask("GET", "/", Accept="application/json").body,
            b'{\n\t"service": "image_warehouse",\n\t"version": "0.96",\n\t"providers":\n\t[\n'
            b'\t\t{\n\t\t\t"rel": "bucket_factory",\n\t\t\t"link": "http://localhost:9090/_new"\n\t\t},\n'
            b'\t\t{\n\t\t\t"rel": "provider_list",\n\t\t\t"link": "http://localhost:9090/_providers"\n\t\t},\n'
            b'\t\t{\n\t\t\t"rel": "bucket",\n\t\t\t"link": "http://localhost:9090/images"\n\t\t}\n\t]\n}\n',
        )

    def test_ours_is_recognisable(self) -> None:
        """A client can tell this server from iwhd by a header."""
        self.assertTrue(self.ask("GET", "/").headers["server"].startswith("imagewarehouse/"))
        for path in ("/", "/none", "/../x"):
            self.assertEqual(self.ask("GET", path).headers["x-warehouse"], "1")

    def test_creating_buckets(self) -> None:
        """201; 500 if it exists; 400 for reserved names, 404 for _providers; by form, too."""
        self.assertEqual([self.status("PUT", "/b"), self.status("PUT", "/b")], [201, 500])
        self.assertEqual({self.status("PUT", f"/{name}") for name in ("_new", "_default", "_policy", "_query")}, {400})
        self.assertEqual(self.status("PUT", "/_providers"), 404)
        self.assertEqual(self.status("POST", "/_new", b"name=c", Content_Type=FORM), 201)
        self.assertEqual(self.status("POST", "/_new", b"name=c", Content_Type=FORM), 500)
        self.assertEqual(self.status("POST", "/_new", b"x=c", Content_Type=FORM), 400)

    def test_bucket_defaults(self) -> None:
        """A new bucket has a policy that copies nothing."""
        self.ask("PUT", "/b")
        self.assertEqual(self.ask("GET", "/b/_default/_policy").body, b"0")
        self.assertEqual(self.status("PUT", "/b/_default/_policy", b"1"), 201)
        self.assertEqual(self.ask("GET", "/b").body, b"<objects>\n</objects>\n")

    def test_listing(self) -> None:
        """An empty bucket lists as empty, a missing one is 404."""
        self.ask("PUT", "/b")
        self.assertEqual(self.ask("GET", "/b").body, b"<objects>\n</objects>\n")
        self.assertEqual(self.ask("GET", "/b", Accept="text/json").body, b"[\n]\n")
        self.ask("PUT", "/b/k", b"x")
        expected = b"<objects>\n\t<object>\n\t\t<bucket>b</bucket>\n\t\t<key>k</key>\n\t</object>\n</objects>\n"
        self.assertEqual(self.ask("GET", "/b").body, expected)
        self.assertEqual(
            self.ask("GET", "/b", Accept="text/json").body, b'[\n\t{\n\t\t"bucket": "b",\n\t\t"key": "k"\n\t}\n]\n'
        )
        self.assertEqual(self.status("GET", "/none"), 404)

    def test_deleting_buckets(self) -> None:
        """Ours: an empty bucket can go, a full one not."""
        self.ask("PUT", "/b")
        self.ask("PUT", "/b/k", b"x")
        self.assertEqual(self.status("DELETE", "/b"), 409)
        self.ask("DELETE", "/b/k")
        self.assertEqual([self.status("DELETE", "/b"), self.status("DELETE", "/b")], [200, 404])

    def test_paging(self) -> None:
        """Ours: prefix, after and limit; attributes in the listing."""
        self.ask("PUT", "/b")
        for key in ("a1", "a2", "a3", "b1"):
            self.ask("PUT", f"/b/{key}/n", key.encode())
        keys = json.loads(self.ask("GET", "/b?prefix=a&after=a1&limit=1&attrs=n", Accept="application/json").body)
        self.assertEqual(keys, [{"bucket": "b", "key": "a2", "attributes": {"n": "a2"}}])
        self.assertEqual(self.status("GET", "/b?limit=x"), 400)
        self.assertEqual(self.status("GET", "/b?" + "&".join(f"a{number}=" for number in range(101))), 400)
        for query in (
            '$n == "a1" || $n == "a2"',
            '$n == "a2"',
            '$n == "a3" || $n != ""',
        ):
            answer = self.ask("POST", "/b/_query?limit=0", query.encode(), Accept="text/json")
            self.assertEqual((answer.status, answer.json), (200, []))
        self.ask("PUT", "/b/b2/n", b"a2")
        for query in ('$n == "a2"', '$n == "a2" || $n == "a2"'):
            for arguments, found in (("limit=1", "a2"), ("after=a2", "b2"), ("after=a2&limit=1", "b2")):
                answer = self.ask("POST", f"/b/_query?{arguments}", query.encode(), Accept="text/json")
                self.assertEqual([one["key"] for one in answer.json], [found], (query, arguments))

    def test_unknown(self) -> None:
        """What is not in the API is 404 with an empty body."""
        self.ask("PUT", "/b")
        calls = (
            "PUT /",
            "DELETE /",
            "GET /b/_query",
            "POST /b/k/_attrs",
            "PUT /b/k/_attrs",
            "OPTIONS /b",
            "QUIT /x",
            "GET /a/b/c/d",
            "PUT /_health",
            "POST /_health",
            "DELETE /_health",
            "PUT /_metrics",
            "PUT /_health/k/a",
            "POST /b/k/_attrs",
            "DELETE /b/k/_attrs",
        )
        for call in calls:
            self.assertEqual(self.status(*call.split()), 404, call)
        for call in ("OPTIONS /b", "PUT /_health", "PATCH /b/k", "POST /a/b/c/d"):
            wire = Wire(self.site)
            wire.send(f"{call} HTTP/1.1\r\nHost: h\r\nContent-Length: {1 << 40}\r\n\r\n".encode())
            self.assertEqual(read_reply(wire.received()).status, 404, call)

    def test_paths(self) -> None:
        """Runs of slashes collapse, %2F splits, escapes and long names name nothing."""
        self.ask("PUT", "/b")
        self.assertEqual(self.status("PUT", "//b///k", b"x"), 201)
        self.assertEqual(self.ask("GET", "/b%2Fk").body, b"x")
        for path in ("/b/../k", "/b/%2e%2e/k", "/b/..", "/" + "x" * 64, "/b/%00", "/b/%0a", "/b/%ff", "/b/%2e%2e%2fk"):
            self.assertEqual(self.status("GET", path), 404, path)
            self.assertIn(self.status("PUT", path, b"x"), {400, 404}, path)


class ObjectTests(ServerTestCase):
    """Bodies and attributes."""

    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/b")

    def test_put_and_get(self) -> None:
        """201 with an unquoted ETag of 16 hex digits; the same ETag, quoted, comes with the body."""
        answer = self.ask("PUT", "/b/k", b"hello")
        self.assertEqual((answer.status, answer.body), (201, b""))
        self.assertRegex(answer.headers["etag"], r"\A[0-9a-f]{16}\Z")
        got = self.ask("GET", "/b/k")
        self.assertEqual((got.status, got.body), (200, b"hello"))
        self.assertEqual(got.headers["etag"], f'"{answer.headers["etag"]}"')
        self.assertEqual((got.headers["content-length"], got.headers["accept-ranges"]), ("5", "bytes"))
        self.assertEqual(self.ask("GET", "/b/k/_etag").body.decode(), answer.headers["etag"])

    def test_refused_keys(self) -> None:
        """403 for reserved keys and for a master's role, 404 for _query, 500 without the bucket."""
        self.assertEqual({self.status("PUT", f"/b/{key}", b"x") for key in ("_default", "_new", "_policy")}, {403})
        self.assertEqual(self.status("PUT", "/b/k", b"x", X_redhat_role="master"), 403)
        self.assertEqual(self.status("PUT", "/b/_query", b"x"), 404)
        self.assertEqual(self.status("PUT", "/none/k", b"x"), 500)

    def test_delete(self) -> None:
        """Body and attributes go; 404 for what is not there."""
        self.ask("PUT", "/b/k", b"x")
        self.ask("PUT", "/b/k/a", b"1")
        self.assertEqual([self.status("DELETE", "/b/k"), self.status("DELETE", "/b/k")], [200, 404])
        self.assertEqual((self.status("GET", "/b/k"), self.status("GET", "/b/k/a")), (404, 404))
        self.assertEqual(self.blobs(), [])

    def test_attributes(self) -> None:
        """Values are raw; PUT makes object and bucket; absent and empty are 404; reserved ones 400."""
        self.assertEqual(self.status("PUT", "/new/o/color", "größe & <x>".encode()), 201)
        self.assertEqual(self.ask("GET", "/new/o/color").body, "größe & <x>".encode())
        self.assertEqual(self.status("PUT", "/new/o/color", X_redhat_value="red"), 201)
        self.assertEqual(self.ask("GET", "/new/o/color").body, b"red")
        self.assertEqual(self.status("PUT", "/new/o/color"), 201)
        self.assertEqual((self.status("GET", "/new/o/color"), self.status("GET", "/new/o/none")), (404, 404))
        self.assertEqual(
            {self.status("PUT", f"/b/k/{name}", b"x") for name in ("_size", "_loc", "_key", "_date")}, {400}
        )
        self.assertEqual(self.status("PUT", "/b/k/a", b"\xff"), 400)
        for value, status in ((b"\xff", 400), (b"gr\xc3\xbcn", 201)):
            wire = Wire(self.site)
            wire.send(b"PUT /b/k/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nX-redhat-value: %s\r\n\r\n" % value)
            self.assertEqual(read_reply(wire.received()).status, status)
        self.assertEqual(self.ask("GET", "/b/k/a").body, "grün".encode())
        self.assertEqual(self.ask("GET", "/new/o/_key").body, b"o")
        self.assertEqual(self.status("GET", "/new/o/_size"), 404)

    def test_deleting_attributes(self) -> None:
        """Ours: DELETE of one attribute."""
        self.ask("PUT", "/b/k/a", b"1")
        self.assertEqual([self.status("DELETE", "/b/k/a"), self.status("DELETE", "/b/k/a")], [200, 404])
        self.assertEqual(self.status("DELETE", "/b/k/_key"), 404)
        self.assertEqual(self.status("DELETE", "/b/none/a"), 404)
        self.assertEqual(self.store.keys("b"), ["k"])

    def test_attributes_that_are_expected(self) -> None:
        """412 unless they are as the header says; it holds for every change of the object."""
        self.ask("PUT", "/b/k/name", b"a b&c")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for expected, status in (("name=x", 412), ("other=1", 412), ("name=a%20b%26c&other=", 200)):
            found = self.ask("POST", "/b", b"_key=k&size=1", **form, **{"X-Warehouse-Expected": expected})
            self.assertEqual(found.status, status, expected)
        for method, path in (("PUT", "/b/k"), ("PUT", "/b/k/name"), ("DELETE", "/b/k/name"), ("DELETE", "/b/k")):
            self.assertEqual(self.ask(method, path, b"", **{"X-Warehouse-Expected": "name=x"}).status, 412, path)
        self.assertEqual(self.ask("GET", "/b/k/name").body, b"a b&c")

    def test_conditions_of_attributes(self) -> None:
        """If-Match and If-None-Match hold for them, too; where they do not, nothing is made."""
        etag = self.ask("PUT", "/b/k", b"x").headers["etag"]
        for wrong in ({"If_Match": '"wrong"'}, {"If_None_Match": etag}):
            self.assertEqual(self.status("PUT", "/b/k/a", b"1", **wrong), 412)
            self.assertEqual(self.status("POST", "/b", b"_key=k&a=1", Content_Type=FORM, **wrong), 412)
        self.assertEqual(self.status("PUT", "/new/k/a", b"1", If_Match="*"), 412)
        self.assertEqual(self.status("GET", "/new"), 404)
        self.assertEqual(self.status("PUT", "/b/k/a", b"1", If_Match=etag), 201)
        self.assertEqual(self.status("DELETE", "/b/k/a", If_Match='"wrong"'), 412)
        self.assertEqual(self.status("DELETE", "/b/k/a", If_Match=etag), 200)

    def test_defaults_stay(self) -> None:
        """The defaults of a bucket are no object to delete; the other reserved keys have no attributes."""
        self.assertEqual(self.status("DELETE", "/b/_default"), 404)
        self.assertEqual(self.ask("GET", "/b/_default/_policy").body, b"0")
        for key in ("_new", "_policy", "_query"):
            self.assertEqual(self.status("PUT", f"/b/{key}/a", b"1"), 400)
            self.assertEqual(self.status("POST", "/b", f"_key={key}&a=1".encode(), Content_Type=FORM), 400)

    def test_attribute_list(self) -> None:
        """Names with paths, byte for byte; op=parts is the same."""
        self.ask("PUT", "/b/o2/color", b"red")
        expected = (
            b'<object>\n\t<object_body path="http://localhost:9090/b/o2"/>\n'
            b'\t<object_attr_list path="http://localhost:9090/b/o2/_attrs"/>\n'
            b'\t<object_attr name="color" path="http://localhost:9090/b/o2/color"/>\n</object>\n'
        )
        self.assertEqual(self.ask("GET", "/b/o2/_attrs").body, expected)
        self.assertEqual(self.ask("POST", "/b/o2", b"op=parts", Content_Type=FORM).body, expected)
        self.assertEqual(
            json.loads(self.ask("GET", "/b/o2/_attrs", Accept="application/json").body),
            {
                "object_body": "http://localhost:9090/b/o2",
                "object_attr_list": "http://localhost:9090/b/o2/_attrs",
                "attr_color": "http://localhost:9090/b/o2/color",
            },
        )
        self.assertEqual(self.status("GET", "/b/none/_attrs"), 404)

    def test_attribute_values(self) -> None:
        """Ours: all values in one request, in XML and JSON, whatever is in them."""
        value = "<&>\"'\r\n é"
        self.ask("PUT", "/b/k/a", value.encode())
        self.assertEqual(json.loads(self.ask("GET", "/b/k/_attrs?values=1", Accept="text/json").body), {"a": value})
        xml = self.ask("GET", "/b/k/_attrs?values=1").body.decode()
        self.assertIn("&lt;&amp;&gt;\"'&#13;\n é</object_attr>", xml)

    def test_many_attributes(self) -> None:
        """POST to a bucket sets all fields or none."""
        self.assertEqual(self.status("POST", "/new", b"_key=k&a=1%262&b=x+y", Content_Type=FORM), 200)
        self.assertEqual([self.ask("GET", f"/new/k/{name}").body for name in "ab"], [b"1&2", b"x y"])
        self.assertEqual(self.status("POST", "/new", b"a=1", Content_Type=FORM), 400)
        self.assertEqual(self.status("POST", "/new", b"_key=k&a=2&_size=1", Content_Type=FORM), 400)
        self.assertEqual(self.ask("GET", "/new/k/a").body, b"1&2")

    def test_multipart_form(self) -> None:
        """A form may be multipart."""
        part = b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        body = part % (b"_key", b"k") + part % (b"a", b"1\r\n2") + b"--X--\r\n"
        self.assertEqual(self.status("POST", "/b", body, Content_Type="multipart/form-data; boundary=X"), 200)
        self.assertEqual(self.ask("GET", "/b/k/a").body, b"1\r\n2")
        for wrong in (part % (b"_key", b"k\xff"), part % (b"\xff", b"k"), b"--X\r\nContent-Disposition: \xff\r\n\r\n"):
            self.assertEqual(self.status("POST", "/b", wrong, Content_Type="multipart/form-data; boundary=X"), 400)

    def test_query(self) -> None:
        """The body is the expression, never decoded; no match is 404, a wrong query 400, both empty."""
        self.ask("PUT", "/b/k/build", b"x+y%41")
        found = self.ask("POST", "/b/_query", b'$build == "x+y%41" && $_key == "k"', Content_Type=FORM)
        expected = b"<objects>\n\t<object>\n\t\t<bucket>b</bucket>\n\t\t<key>k</key>\n\t</object>\n</objects>\n"
        self.assertEqual((found.status, found.body), (200, expected))
        self.assertEqual(self.status("POST", "/b/_query", b'$build == "z"', Content_Type=FORM), 404)
        self.assertEqual(self.status("POST", "/b/_query", b"$build = 1", Content_Type=FORM), 400)
        self.assertEqual(self.status("POST", "/b/_query", b"", Content_Type=FORM), 400)
        self.assertEqual(self.status("POST", "/b/_query", b"#type", Content_Type=FORM), 404)
        self.assertEqual(self.status("POST", "/none/_query", b"1", Content_Type=FORM), 404)

    def test_names_are_escaped(self) -> None:
        """Names with special characters make valid XML and JSON."""
        self.ask("PUT", "/b/k%26%3Cx%22", b"x")
        self.assertIn(b'<key>k&amp;&lt;x"</key>', self.ask("GET", "/b").body)
        self.assertEqual(json.loads(self.ask("GET", "/b", Accept="text/json").body)[0]["key"], 'k&<x"')

    def test_reasons_for_those_who_ask(self) -> None:
        """Who accepts problem+json gets the reason of an error."""
        answer = self.ask("POST", "/b/_query", b"$a = 1", Accept="application/problem+json")
        self.assertEqual(answer.status, 400)
        self.assertIn("character 4", answer.json["title"])
