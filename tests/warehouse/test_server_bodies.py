"""Bodies: streamed in, sent out whole or in parts, never half."""

from __future__ import annotations

import os
import struct
from hashlib import sha256
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from imagefactory.testing.wire import Wire, read_answer
from imagefactory.warehouse.store.incoming import Received
from tests.warehouse.serving import HOST, ServerTestCase

EXTENTS = "application/x-warehouse-extents"
FRAME = struct.Struct(">QQ")


class UploadTests(ServerTestCase):
    """PUT of a body."""

    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/b")
        self.ask("PUT", "/b/k", b"old")

    def begin(self, length: int, *more: str, path: str = "/b/k") -> Wire:
        """A connection that has sent the head of a PUT."""
        wire = Wire(self.site)
        wire.send(
            "\r\n".join([f"PUT {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {length}", *more, "", ""]).encode()
        )
        return wire

    def body(self) -> bytes:
        """What is stored."""
        return self.ask("GET", "/b/k").body

    def test_streams(self) -> None:
        """A body is on the disk while it is still coming, and visible only when it is complete."""
        wire = self.begin(300_000)
        wire.send(b"x" * 200_000)
        self.assertEqual(len(self.blobs()), 2)
        self.assertEqual(self.body(), b"old")
        wire.send(b"x" * 100_000)
        self.assertEqual(read_answer(wire.received()).status, 201)
        self.assertEqual(self.body(), b"x" * 300_000)
        self.assertEqual(len(self.blobs()), 1)

    def test_chunked(self) -> None:
        """A body may be chunked."""
        wire = Wire(self.site)
        wire.send(
            b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab\r\n\r\n3\r\ncde\r\n0\r\n\r\n"
        )
        self.assertEqual(read_answer(wire.received()).status, 201)
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
        self.assertEqual(read_answer(wire.received()).status, 201)

    def test_refused_before_the_body(self) -> None:
        """What is refused is refused without a 100, and the connection ends with it."""
        for path, status in (("/none/k", 500), ("/b/_policy", 403), ("/b/_query", 404)):
            wire = self.begin(1000, "Expect: 100-continue", path=path)
            answer = read_answer(wire.received())
            self.assertEqual((answer.status, answer.body, answer.headers["connection"]), (status, b"", "close"))

    def test_refused_while_the_client_sends(self) -> None:
        """A client that sends without waiting gets its answer at once, and may send to the end."""
        wire = self.begin(1000, path="/none/k")
        self.assertEqual(read_answer(wire.received()).status, 500)
        wire.send(b"x" * 999)
        self.assertFalse(wire.transport.disconnecting)
        wire.send(b"x")
        self.assertFalse(wire.transport.connected)
        self.assertEqual(len(self.blobs()), 1)

    def test_no_room(self) -> None:
        """A body that is larger than the free space is refused before it comes."""
        self.assertEqual(read_answer(self.begin(1 << 60).received()).status, 507)

    def test_disk_full_on_the_way(self) -> None:
        """A disk that fills up during an upload is 507; the old body is intact, nothing is left."""
        wire = self.begin(200_000)
        with patch.object(os, "pwrite", side_effect=OSError(28, "No space left on device")):
            wire.send(b"x" * 100_000)
        answer = read_answer(wire.received())
        self.assertEqual((answer.status, answer.body), (507, b""))
        wire.send(b"x" * 100_000)
        self.assertEqual((self.body(), len(self.blobs())), (b"old", 1))

    def test_disk_full_at_the_end(self) -> None:
        """Likewise if only the last step finds no room."""
        with patch.object(os, "fsync", side_effect=OSError(28, "No space left on device")):
            self.assertEqual(self.status("PUT", "/b/k", b"new"), 507)
        self.assertEqual((self.body(), len(self.blobs())), (b"old", 1))

    def test_the_unexpected(self) -> None:
        """What nobody expected is 500 with an incident that the log names, and the server lives."""
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

    def test_extents(self) -> None:
        """A body without its holes: sent and fetched as frames."""
        frames = FRAME.pack(0, 5) + b"start" + FRAME.pack(1 << 20, 3) + b"end" + FRAME.pack(3 << 20, 0)
        whole = b"start" + bytes((1 << 20) - 5) + b"end" + bytes((2 << 20) - 3)
        wire = self.begin(len(frames), f"Content-Type: {EXTENTS}")
        for at in range(len(frames)):
            wire.send(frames[at : at + 1])
        self.assertEqual(read_answer(wire.received()).headers["x-warehouse-sha256"], sha256(whole).hexdigest())
        self.assertEqual(self.body(), whole)
        got = self.ask("GET", "/b/k", Accept=EXTENTS)
        self.assertLess(len(got.body), 200_000)
        self.assertEqual(_unframe(got.body), whole)

    def test_bad_extents(self) -> None:
        """Frames that are out of order, cut or too many are refused as a whole."""
        last = FRAME.pack(10, 0)
        disorder = FRAME.pack(5, 1) + b"x" + FRAME.pack(4, 1) + b"y" + last
        cut = (b"", last[:9], FRAME.pack(0, 5) + b"st", FRAME.pack(0, 1) + b"x")
        for frames in (*cut, disorder, last + b"x", FRAME.pack(1 << 63, 1)):
            self.assertEqual(self.status("PUT", "/b/k", frames, Content_Type=EXTENTS), 400, frames)
        self.assertEqual((self.body(), len(self.blobs())), (b"old", 1))

    def test_large_bodies_elsewhere(self) -> None:
        """A body that belongs in memory has a limit: 1 MB attributes are fine, 10 MB not, announced or not."""
        self.assertEqual(self.status("PUT", "/b/k/a", b"x" * 1_000_000), 201)
        self.assertEqual(self.status("PUT", "/b/k/a", b"x" * 10_000_000), 413)
        self.assertEqual(read_answer(self.begin(1 << 40, path="/b/k/a").received()).status, 413)
        wire = Wire(self.site)
        wire.send(b"PUT /b/k/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(14):
            wire.send(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        self.assertEqual(read_answer(wire.received()).status, 413)
        self.assertEqual(len(self.ask("GET", "/b/k/a").body), 1_000_000)

    def test_pipelined(self) -> None:
        """Requests that come without waiting are answered in order."""
        self.wire.send(
            b"PUT /b/p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b/p HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        data = self.wire.received()
        self.assertEqual((data.count(b"HTTP/1.1 201"), data.endswith(b"\r\n\r\nabc")), (1, True))


def _unframe(data: bytes) -> bytes:
    whole = b""
    while True:
        offset, length = FRAME.unpack_from(data)
        whole += bytes(offset - len(whole))
        if not length:
            return whole
        whole += data[FRAME.size : FRAME.size + length]
        data = data[FRAME.size + length :]


class ResumeTests(ServerTestCase):
    """Uploads that survive a broken connection."""

    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/b")

    def part(self, data: bytes, content_range: str, name: str = "u1") -> tuple[int, str | None]:
        """Send a part; its status and the offset told."""
        answer = self.ask("PUT", "/b/k", data, Content_Range=content_range, X_Warehouse_Upload=name)
        return answer.status, answer.headers.get("x-warehouse-offset")

    def test_in_parts(self) -> None:
        """Parts make a whole, visible with the last."""
        self.assertEqual(self.part(b"abc", "bytes 0-2/6"), (202, "3"))
        self.assertEqual(self.status("GET", "/b/k"), 404)
        self.assertEqual(self.part(b"", "bytes */6"), (202, "3"))
        self.assertEqual(self.part(b"def", "bytes 3-5/6"), (201, None))
        self.assertEqual(self.ask("GET", "/b/k").body, b"abcdef")

    def test_goes_on_after_a_break(self) -> None:
        """What arrived before the connection broke is kept."""
        wire = Wire(self.site)
        wire.send(
            b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nContent-Range: bytes 0-5/6\r\n"
            b"X-Warehouse-Upload: u1\r\n\r\nabcd"
        )
        self.assertEqual(self.part(b"", "bytes */6"), (409, None))  # the other connection is still there
        wire.hang_up()
        self.assertEqual(self.part(b"", "bytes */6"), (202, "4"))
        self.assertEqual(self.part(b"ef", "bytes 4-5/6"), (201, None))
        self.assertEqual(self.ask("GET", "/b/k").body, b"abcdef")

    def test_disk_full(self) -> None:
        """An upload that could not be written is forgotten: the client begins again."""
        self.part(b"a" * 100_000, "bytes 0-99999/300000")
        with patch.object(os, "pwrite", side_effect=OSError(28, "No space left on device")):
            self.assertEqual(self.part(b"b" * 100_000, "bytes 100000-199999/300000")[0], 507)
        self.assertEqual(self.blobs(), [])
        self.assertEqual(self.part(b"", "bytes */300000"), (202, "0"))

    def test_wrong_parts(self) -> None:
        """A part that does not follow is 409 with the offset; what cannot be a part is 400."""
        self.part(b"abc", "bytes 0-2/6")
        self.assertEqual(self.part(b"f", "bytes 5-5/6"), (409, "3"))
        self.assertEqual(self.part(b"def", "bytes 3-5/7"), (409, "3"))
        for wrong in ("bytes 3-2/6", "bytes 0-9/6", "x", "bytes 0-2/*"):
            self.assertEqual(self.part(b"abc", wrong)[0], 400, wrong)

    def test_forgotten(self) -> None:
        """An upload that nobody goes on with is forgotten after an hour, with what arrived."""
        self.part(b"abc", "bytes 0-2/6")
        self.clock.advance(3601)
        self.assertEqual(self.part(b"abc", "bytes 0-2/6", name="u2"), (202, "3"))
        self.assertEqual(len(self.blobs()), 1)
        self.successResultOf(Deferred.fromCoroutine(self.site.application.sessions.close()))
        self.assertEqual(self.blobs(), [])


class DownloadTests(ServerTestCase):
    """GET and HEAD of a body."""

    BODY = bytes(range(256)) * 10

    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/b")
        self.etag = self.ask("PUT", "/b/k", self.BODY).headers["etag"]

    def test_head(self) -> None:
        """HEAD is GET without the body, for lists and attributes as well."""
        self.ask("PUT", "/b/k/a", b"1")
        for path in ("/b/k", "/b", "/", "/b/k/a"):
            head, got = self.ask("HEAD", path), self.ask("GET", path)
            self.assertEqual((head.status, head.body), (200, b""), path)
            self.assertEqual(head.headers["content-length"], got.headers["content-length"], path)
        self.assertEqual(self.ask("HEAD", "/b/k", Range="bytes=0-0").status, 200)

    def test_ranges(self) -> None:
        """One range, from the end, open, and what is not there."""
        for wanted, first, last in (("0-9", 0, 9), ("-5", 2555, 2559), ("2550-", 2550, 2559), ("9-99999", 9, 2559)):
            answer = self.ask("GET", "/b/k", Range=f"bytes={wanted}")
            self.assertEqual((answer.status, answer.body), (206, self.BODY[first : last + 1]), wanted)
            self.assertEqual(answer.headers["content-range"], f"bytes {first}-{last}/2560")
        beyond = self.ask("GET", "/b/k", Range="bytes=2560-")
        self.assertEqual((beyond.status, beyond.body, beyond.headers["content-range"]), (416, b"", "bytes */2560"))
        for ignored in ("bytes=5-2", "bytes=x", "lines=1-2", "bytes=-", "bytes=" + ",".join(["0-0"] * 2000)):
            self.assertIn(self.ask("GET", "/b/k", Range=ignored).status, {200, 416}, ignored)

    def test_several_ranges(self) -> None:
        """Several ranges come as multipart/byteranges of the length announced."""
        answer = self.ask("GET", "/b/k", Range="bytes=0-1, 10-12")
        self.assertEqual((answer.status, len(answer.body)), (206, int(answer.headers["content-length"])))
        boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
        self.assertEqual(answer.body.count(b"--" + boundary), 3)
        self.assertIn(b"Content-Range: bytes 10-12/2560\r\n\r\n\x0a\x0b\x0c\r\n--", answer.body)

    def test_if_range(self) -> None:
        """A range of a body that has changed is the whole body."""
        self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0", If_Range=f'"{self.etag}"').status, 206)
        self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0", If_Range='"other"').status, 200)
        date = self.ask("GET", "/b/k").headers["last-modified"]
        self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0", If_Range=date).status, 200)
        self.clock.advance(2)
        self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0", If_Range=date).status, 206)

    def test_not_modified(self) -> None:
        """304 for a known ETag, quoted or not, or an old enough date."""
        for header in (self.etag, f'"{self.etag}"', f'W/"x", "{self.etag}"', "*"):
            self.assertEqual(self.ask("GET", "/b/k", If_None_Match=header).status, 304, header)
        self.assertEqual(self.ask("GET", "/b/k", If_None_Match='"x"').status, 200)
        date = self.ask("GET", "/b/k").headers["last-modified"]
        self.assertEqual(self.ask("GET", "/b/k", If_Modified_Since=date).status, 304)
        self.assertEqual(self.status("GET", "/b/k", If_Match='"x"'), 412)

    def test_clock_set_back(self) -> None:
        """A body that is stored after the clock was set back is served, under a new ETag and a later date."""
        date = self.ask("GET", "/b/k").headers["last-modified"]
        self.clock.rightNow -= 86_400
        self.ask("PUT", "/b/k", b"new")
        for known in ({"If_None_Match": self.etag}, {"If_Modified_Since": date}):
            answer = self.ask("GET", "/b/k", **known)
            self.assertEqual((answer.status, answer.body), (200, b"new"))
        self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0", If_Range=date).body, b"new")
        later = answer.headers["last-modified"]
        self.assertEqual(self.ask("GET", "/b/k", If_Modified_Since=later).status, 304)
        self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0", If_Range=later).status, 200)

    def test_two_bodies_in_one_second(self) -> None:
        """Each has a date of its own: no reader takes one for the other, or puts parts of both together."""
        dates = [self.ask("GET", "/b/k").headers["last-modified"]]
        for body in (b"one", b"two"):
            self.ask("PUT", "/b/k", body)
            for date in dates:
                self.assertEqual(self.ask("GET", "/b/k", If_Modified_Since=date).body, body)
                self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0", If_Range=date).body, body)
            dates.append(self.ask("GET", "/b/k").headers["last-modified"])
        self.ask("PUT", "/b/k/a", b"1")
        self.ask("PUT", "/b/k", b"two")
        self.assertEqual(self.ask("GET", "/b/k").headers["last-modified"], dates[-1])

    def test_damaged_body(self) -> None:
        """A changed byte breaks the connection before the body is complete; storing it again heals."""
        (blob,) = self.blobs()
        blob.chmod(0o644)
        blob.write_bytes(self.BODY[:-1] + b"?")
        wire = Wire(self.site)
        wire.send(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
        data = wire.received()
        self.assertFalse(wire.transport.connected)
        self.assertLess(len(data.partition(b"\r\n\r\n")[2]), len(self.BODY))
        self.assertEqual(self.status("GET", "/b/k"), 500)
        self.assertEqual(self.status("PUT", "/b/k", self.BODY), 201)
        self.assertEqual(self.ask("GET", "/b/k").body, self.BODY)

    def test_cut_body(self) -> None:
        """A body that lost its end is 500."""
        (blob,) = self.blobs()
        os.truncate(blob, 100)
        self.assertEqual(self.status("GET", "/b/k"), 500)

    def test_lost_body(self) -> None:
        """A body whose file is gone is 500, not 404: something is wrong."""
        (blob,) = self.blobs()
        blob.unlink()
        self.assertEqual(self.status("GET", "/b/k"), 500)

    def test_replaced_while_read(self) -> None:
        """A reader of the old body gets all of it."""
        opened = self.store.open("b", "k")
        assert opened is not None
        self.addCleanup(opened[1].close)
        self.ask("PUT", "/b/k", b"new")
        self.ask("DELETE", "/b/k")
        self.assertEqual(opened[1].read(0, 9999), self.BODY)

    def test_client_stalls(self) -> None:
        """A client that takes nothing for five minutes is given up, and its file closed."""
        self.ask("PUT", "/b/large", os.urandom(5 << 20))
        before = len(os.listdir("/proc/self/fd"))
        wire = Wire(self.site)
        channel = wire.transport.protocol
        with patch.object(channel, "registerProducer", side_effect=lambda producer, _: producer.pauseProducing()):
            wire.send(b"GET /b/large HTTP/1.1\r\nHost: h\r\n\r\n")
        self.clock.advance(299)
        self.assertTrue(wire.transport.connected)
        self.clock.advance(2)
        self.assertFalse(wire.transport.connected)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_client_goes_away(self) -> None:
        """A client that stops reading and goes leaves no open file behind."""
        self.ask("PUT", "/b/large", os.urandom(5 << 20))
        before = len(os.listdir("/proc/self/fd"))
        wire = Wire(self.site)
        channel = wire.transport.protocol
        with patch.object(channel, "registerProducer", side_effect=lambda producer, _: producer.pauseProducing()):
            wire.send(b"GET /b/large HTTP/1.1\r\nHost: h\r\n\r\n")
        producer = channel.requests[0].producer
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + 1)
        producer.stopProducing()
        channel.connectionLost(Failure(ConnectionError()))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
