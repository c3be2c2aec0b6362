"""Providers, copies, health."""

from __future__ import annotations

from pathlib import Path

from imagefactory.warehouse.copies import CopyDirectory
from tests.warehouse.serving import ServerTestCase

FORM = "application/x-www-form-urlencoded"


class ControlTests(ServerTestCase):
    """Providers, replication, health."""

    PLACE = b"type=http&host=store.example&port=9090&key=me&secret=hush"

    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/b")
        self.ask("PUT", "/b/k", b"x")

    def control(self, path: str, form: bytes) -> int:
        """The status of a form sent there."""
        return self.ask("POST", path, form, Content_Type=FORM).status

    def test_providers(self) -> None:
        """Listed, added, changed, removed, made primary; a password is never shown."""
        self.assertEqual(self.control("/_providers/other", self.PLACE), 200)
        text = self.ask("GET", "/_providers").body
        self.assertIn(b'\t<provider name="other">\n\t\t<type>http</type>\n\t\t<host>store.example</host>\n', text)
        self.assertIn(b"<username>me</username>\n\t\t<password></password>", text)
        listed = self.ask("GET", "/_providers", Accept="text/json").json
        self.assertEqual([(one["name"], one["port"]) for one in listed], [("other", 9090), ("primary", 0)])
        self.assertNotIn(b"hush", text + self.ask("GET", "/_providers", Accept="text/json").body)
        self.assertEqual(self.ask("GET", "/_providers/_primary").body, b"primary")
        self.assertEqual(self.status("GET", "/_providers/other"), 400)
        self.assertEqual(self.status("PUT", "/_providers/none/_primary"), 400)
        self.assertEqual(self.status("PUT", "/_providers/other/_primary"), 200)
        self.assertEqual(
            [self.status("DELETE", f"/_providers/{name}") for name in ("other", "none", "primary")], [404, 404, 404]
        )

    def test_directories(self) -> None:
        """A provider of type fs has a path below the directory that the operator allows; by default there is none."""
        self.assertEqual(self.control("/_providers/x", b"type=fs&path=/srv/copies/x"), 400)
        self.site.application.copies = CopyDirectory(Path("/srv/copies"))
        self.assertEqual(self.control("/_providers/x", b"type=fs&path=/srv/copies/x"), 200)
        self.assertEqual(self.control("/_providers/y", b"type=fs&path=/srv/copies"), 200)
        for path in ("/etc", "/srv/copies/../x", "copies", "/srv/copiesx", "/srv/copies/%00", "/srv/copies/x/.."):
            self.assertEqual(self.control("/_providers/z", f"type=fs&path={path}".encode()), 400, path)

    def test_pages_may_not_change_providers(self) -> None:
        """What a browser sends for a page of another site is refused."""
        origin = {"Origin": "http://evil.example"}
        self.assertEqual(self.status("POST", "/_providers/x", self.PLACE, Content_Type=FORM, **origin), 403)
        self.control("/_providers/x", self.PLACE)
        self.assertEqual(self.status("PUT", "/_providers/x/_primary", **origin), 403)
        self.assertEqual(self.status("DELETE", "/_providers/x", **origin), 403)
        self.assertEqual(self.status("GET", "/_providers", **origin), 200)

    def test_clouds_are_no_places(self) -> None:
        """There are no copies to s3 and cf: they are not accepted."""
        for kind in (b"s3", b"cf"):
            self.assertEqual(self.control("/_providers/x", b"host=h&port=1&key=k&secret=s&type=" + kind), 501)

    def test_bad_providers(self) -> None:
        """Each missing or wrong field is 400, not the end of the daemon."""
        for form in (
            b"",
            b"type=zz",
            b"type=http&host=h",
            b"type=http&host=h&port=0",
            b"type=http&host=h&port=x",
            b"type=s3&host=h&port=1",
            b"type=fs&port=1",
            self.PLACE + b"&name=x",
            b"type=http&host=%5B&port=1",
            b"type=http&host=a%20b&port=1",
            b"type=http&host=a/b&port=1",
            b"type=http&host=u@h&port=1",
            b"type=http&host=ftp://h&port=1",
            b"type=http&host=h&port=65536",
            b"type=http&host=h&port=" + b"1" * 5000,
            b"type=primary",
        ):
            self.assertEqual(self.control("/_providers/x", form), 400, form)
        self.assertEqual(self.control("/_providers/_primary", self.PLACE), 400)
        self.assertEqual(self.control("/_providers/primary", self.PLACE), 400)
        for host in (b"https://h", b"http://h", b"192.0.2.1", b"[::1]", b"h"):
            self.assertEqual(self.control("/_providers/x", b"type=http&port=65535&host=" + host), 200, host)

    def test_replication_queue(self) -> None:
        """A policy that is true queues one copy per object; op=check tells the truth."""
        self.control("/_providers/other", self.PLACE)
        self.assertEqual(self.ask("POST", "/", b"op=rep_status", Content_Type=FORM).body, b"0 requests\n")
        self.ask("PUT", "/b/_default/_policy", b'#type == "http"')
        self.ask("PUT", "/b/k", b"y")
        self.ask("PUT", "/b/k/a", b"1")
        self.assertEqual(self.ask("POST", "/", b"op=rep_status", Content_Type=FORM).body, b"1 requests\n")
        self.assertEqual(self.control("/b/k", b"op=check&depot=other"), 404)
        copy = self.store.replication.next()
        assert copy is not None
        self.assertEqual((copy.provider, copy.bucket, copy.key), ("other", "b", "k"))
        found = self.store.find("b", "k")
        assert found is not None
        assert found.blob is not None
        self.store.replication.copied(copy, found.blob.sha256)
        self.assertEqual(self.control("/b/k", b"op=check&depot=other"), 200)
        self.assertEqual(self.control("/b/k", b"op=check&depot=primary"), 200)
        self.assertIsNone(self.store.replication.next())

    def test_what_policies_read(self) -> None:
        """A policy reads all fields of a provider, its secret and those that mean nothing to us included."""
        self.control("/_providers/other", self.PLACE + b"&zone=north")
        for policy, wanted in (
            (b'#zone == "north" && #secret == "hush" && #key == "me"', 1),
            (b'#zone == "south"', 0),
            (b'#zone == "" || #secret == ""', 0),
        ):
            self.ask("PUT", "/b/k/_policy", policy)
            self.assertEqual(self.store.replication.waiting(), wanted, policy)
            self.ask("DELETE", "/_providers/other")
            self.control("/_providers/other", self.PLACE + b"&zone=north")

    def test_what_waits_for_a_removed_provider(self) -> None:
        """Goes with it."""
        self.control("/_providers/other", self.PLACE)
        self.ask("PUT", "/b/k/_policy", b"1")
        self.assertEqual(self.status("DELETE", "/_providers/other"), 200)
        self.assertEqual(self.store.replication.waiting(), 0)

    def test_push_asks_again(self) -> None:
        """op=push queues what the policy wants, and is 200 for what is not there."""
        self.ask("PUT", "/b/k/_policy", b"1")
        self.control("/_providers/other", self.PLACE)
        self.assertEqual([self.control("/b/k", b"op=push"), self.control("/b/none", b"op=push")], [200, 200])
        self.assertEqual(self.store.replication.waiting(), 1)

    def test_body_replaced_while_copied(self) -> None:
        """A copy of an old body does not count as one of the new."""
        self.control("/_providers/other", self.PLACE)
        self.ask("PUT", "/b/k/_policy", b"1")
        copy = self.store.replication.next()
        assert copy is not None
        self.ask("PUT", "/b/k", b"newer")
        self.store.replication.copied(copy, "0" * 64)
        self.assertEqual(self.store.replication.waiting(), 1)

    def test_a_copy_that_failed_waits(self) -> None:
        """A failed copy is due again later, and is not lost."""
        self.control("/_providers/other", self.PLACE)
        self.ask("PUT", "/b/k/_policy", b"1")
        copy = self.store.replication.next()
        assert copy is not None
        self.store.replication.postponed(copy, 30, "refused")
        self.assertIsNone(self.store.replication.next())
        self.clock.advance(31)
        again = self.store.replication.next()
        assert again is not None
        self.assertEqual(again.attempts, 1)

    def test_control_errors(self) -> None:
        """400 without an operation; register is 501, or 400 without a known site."""
        for form in (b"", b"op=x", b"op=check", b"op=register", b"op=register&site=none", b"op=parts&_size=1"):
            self.assertEqual(self.control("/b/k", form), 400, form)
        self.assertEqual(self.control("/b/k", b"op=register&site=primary:x"), 501)
        self.assertEqual(self.ask("POST", "/", b"op=x", Content_Type=FORM).body, b"unknown op")
        self.assertEqual(self.ask("POST", "/", b"", Content_Type=FORM).body, b"missing op")

    def test_health_and_metrics(self) -> None:
        """Ours: both answer, and count."""
        self.assertEqual(self.ask("GET", "/_health").json["status"], "ok")
        text = self.ask("GET", "/_metrics").body.decode()
        self.assertIn('warehouse_requests_total{method="PUT",status="201"} 2', text)
        self.assertIn("warehouse_open_requests 1\n", text)
