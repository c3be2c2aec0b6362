"""Bodies that come in: streamed, whole or not at all."""

from __future__ import annotations

import os
from hashlib import sha256
from unittest.mock import patch

from imagefactory.testing.wire import Wire, read_reply
from imagefactory.warehouse.server.body_sink import WholeBody
from imagefactory.warehouse.server.request import WarehouseRequest
from imagefactory.warehouse.store.incoming import Received
from tests.warehouse.serving import UploadTestCase


class UploadTests(UploadTestCase):
    """PUT of a body."""

    def test_streams(self) -> None:
        """A body is on the disk while it is still coming, and visible only when it is complete."""
        wire = self.begin(300_000)
        wire.send(b"x" * 200_000)
        self.assertEqual(len(self.blobs()), 2)
        self.assertEqual(self.body(), b"old")
        wire.send(b"x" * 100_000)
        self.assertEqual(read_reply(wire.received()).status, 201)
        self.assertEqual(self.body(), b"x" * 300_000)
        self.assertEqual(len(self.blobs()), 1)

    def test_chunked(self) -> None:
        """A body may be chunked."""
        wire = Wire(self.site)
        wire.send(
            b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab\r\n\r\n3\r\ncde\r\n0\r\n\r\n"
        )
        self.assertEqual(read_reply(wire.received()).status, 201)
        self.assertEqual(self.body(), b"ab\r\ncde")

    def test_client_goes_away(self) -> None:
        """An upload that breaks off changes nothing and leaves nothing, at 0, 10 and 99 %."""
        for sent in (0, 100, 990):
            wire = self.begin(1000)
            wire.send(b"x" * sent)
            wire.hang_up()
            self.assertEqual((self.body(), len(self.blobs())), (b"old", 1))

    def test_continue_at_once(self) -> None:
        """Expect: 100-continue is answered when who, where and room are clear, before the body."""
        wire = self.begin(3, "Expect: 100-continue")
        self.assertEqual(wire.received(), b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.send(b"new")
        self.assertEqual(read_reply(wire.received()).status, 201)

    def test_refused_before_the_body(self) -> None:
        """What is refused is refused without a 100, and the connection ends with it."""
        for path, status in (("/none/k", 500), ("/b/_policy", 403), ("/b/_query", 404)):
            wire = self.begin(1000, "Expect: 100-continue", path=path)
            answer = read_reply(wire.received())
            self.assertEqual((answer.status, answer.body, answer.headers["connection"]), (status, b"", "close"))

    def test_refused_while_the_client_sends(self) -> None:
        """A client that sends without waiting gets its answer at once, and may send to the end."""
        wire = self.begin(1000, path="/none/k")
        self.assertEqual(read_reply(wire.received()).status, 500)
        wire.send(b"x" * 999)
        self.assertFalse(wire.transport.disconnecting)
        wire.send(b"x")
        self.assertFalse(wire.transport.connected)
        self.assertEqual(len(self.blobs()), 1)

    def test_no_room(self) -> None:
        """A body that is larger than the free space is refused before it comes."""
        self.assertEqual(read_reply(self.begin(1 << 60).received()).status, 507)

    def test_disk_full_on_the_way(self) -> None:
        """A disk that fills up during an upload is 507; the old body is intact, nothing is left."""
        wire = self.begin(200_000)
        with patch.object(os, "pwrite", side_effect=OSError(28, "No space left on device")):
            wire.send(b"x" * 100_000)
        answer = read_reply(wire.received())
        self.assertEqual((answer.status, answer.body), (507, b""))
        wire.send(b"x" * 100_000)
        self.assertEqual((self.body(), len(self.blobs())), (b"old", 1))

    def test_disk_full_at_the_end(self) -> None:
        """Likewise if only the last step finds no room."""
        with patch.object(os, "fsync", side_effect=OSError(28, "No space left on device")):
            self.assertEqual(self.status("PUT", "/b/k", b"new"), 507)
        self.assertEqual((self.body(), len(self.blobs())), (b"old", 1))

    def test_the_unexpected(self) -> None:
        """An unexpected error is 500 with an incident that the log names, and the server lives."""
        with patch.object(Received, "finish", side_effect=RuntimeError("oops")):
            answer = self.ask("PUT", "/b/k", b"new")
        self.assertEqual((answer.status, answer.body), (500, b""))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(answer.headers["x-incident"])
        self.assertEqual(self.body(), b"old")

    def test_two_uploads_of_one_key(self) -> None:
        """The one that ends last wins, whole."""
        one, two = self.begin(3), self.begin(3)
        one.send(b"o")
        two.send(b"two")
        one.send(b"ne")
        self.assertEqual(self.body(), b"one")
        self.assertEqual(len(self.blobs()), 1)

    def test_identical_bodies_are_stored_once(self) -> None:
        """Two objects with one content share one blob, until the last of them goes."""
        self.ask("PUT", "/b/other", b"old")
        self.assertEqual(len(self.blobs()), 1)
        self.ask("DELETE", "/b/k")
        self.assertEqual(self.ask("GET", "/b/other").body, b"old")
        self.ask("DELETE", "/b/other")
        self.assertEqual(self.blobs(), [])

    def test_zeros_take_no_room(self) -> None:
        """Long runs of zeros become holes."""
        body = b"a" * 100 + bytes(4 << 20) + b"z" * 100
        wire = self.begin(len(body))
        for start in range(0, len(body), 50_001):
            wire.send(body[start : start + 50_001])
        self.assertEqual(self.body(), body)
        (blob,) = self.blobs()
        self.assertLess(blob.stat().st_blocks * 512, 200_000)

    def test_attributes_with_the_body(self) -> None:
        """Body and attributes in one request: exact names in one header, or one header each."""
        headers = {"X_Warehouse_Attributes": "build=a%26b&Upper=1", "X_Warehouse_Attr_target": "gr%C3%BCn"}
        self.assertEqual(self.status("PUT", "/b/k", b"new", **headers), 201)
        found = self.store.describe("b", "k")
        assert found is not None
        self.assertEqual(found[1], {"build": "a&b", "Upper": "1", "target": "grün"})
        self.assertEqual(self.status("PUT", "/b/k", b"x", X_Warehouse_Attributes="_size=1"), 400)
        self.assertEqual(self.body(), b"new")

    def test_headers_that_are_no_text(self) -> None:
        """Bytes that are not UTF-8 are refused where they mean something, and leave nothing behind."""
        for header in (b"X-Warehouse-Attributes: a=\xff", b"X-Warehouse-Attr-a: \xff", b"X-Warehouse-Attr-a: %ff"):
            wire = Wire(self.site)
            wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" + header + b"\r\n\r\nnew")
            self.assertEqual(read_reply(wire.received()).status, 400, header)
        for header in (b"Content-Type", b"X-Warehouse-SHA256", b"Content-Range", b"If-Match", b"X-Warehouse-Upload"):
            wire = Wire(self.site)
            wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" + header + b": \xff\r\n\r\nnew")
            self.assertIn(read_reply(wire.received()).status, {201, 400, 412}, header)
        self.assertEqual(len(self.blobs()), 1)
        wire = Wire(self.site)
        wire.send(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nX-Warehouse-Attr-a: gr\xc3\xbcn\r\n\r\n")
        self.assertEqual(self.ask("GET", "/b/k/a").body, "grün".encode())

    def test_nothing_is_left_by_what_fails_at_the_start(self) -> None:
        """Whatever goes wrong between the head and the first byte, the file for the body goes."""
        for place, name in ((WarehouseRequest, "_continue"), (WholeBody, "__init__")):
            with patch.object(place, name, side_effect=RuntimeError("oops")):
                self.begin(3)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(len(self.blobs()), 1)

    def test_conditions(self) -> None:
        """If-Match and If-None-Match hold in the moment of the change."""
        etag = self.ask("PUT", "/b/k", b"1").headers["etag"]
        self.assertEqual(self.status("PUT", "/b/k", b"2", If_Match='"wrong"'), 412)
        self.assertEqual(self.status("PUT", "/b/k", b"2", If_None_Match="*"), 412)
        self.assertEqual(self.status("PUT", "/b/k", b"2", If_Match=f'"x", "{etag}"'), 201)
        self.assertEqual(self.status("PUT", "/b/fresh", b"2", If_None_Match="*"), 201)
        self.assertEqual(self.status("DELETE", "/b/k", If_Match=etag), 412)
        self.assertEqual(self.body(), b"2")

    def test_digest(self) -> None:
        """A client may say what it sends, and hears what arrived."""
        right = sha256(b"new").hexdigest()
        self.assertEqual(self.status("PUT", "/b/k", b"nwe", X_Warehouse_SHA256=right), 400)
        self.assertEqual(self.body(), b"old")
        self.assertEqual(self.ask("PUT", "/b/k", b"new", X_Warehouse_SHA256=right).headers["x-warehouse-sha256"], right)

    def test_large_bodies_elsewhere(self) -> None:
        """A body that belongs in memory has a limit: 1 MB attributes are fine, 10 MB not, announced or not."""
        self.assertEqual(self.status("PUT", "/b/k/a", b"x" * 1_000_000), 201)
        self.assertEqual(self.status("PUT", "/b/k/a", b"x" * 10_000_000), 413)
        self.assertEqual(read_reply(self.begin(1 << 40, path="/b/k/a").received()).status, 413)
        wire = Wire(self.site)
        wire.send(b"PUT /b/k/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(14):
            wire.send(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        self.assertEqual(read_reply(wire.received()).status, 413)
        self.assertEqual(len(self.ask("GET", "/b/k/a").body), 1_000_000)

    def test_pipelined(self) -> None:
        """Requests that come without waiting are answered in order."""
        self.wire.send(
            b"PUT /b/p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b/p HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        self.clock.advance(0)
        data = self.wire.received()
        self.assertEqual((data.count(b"HTTP/1.1 201"), data.endswith(b"\r\n\r\nabc")), (1, True))
