"""Bodies that go out: whole, in ranges, never half or damaged."""

from __future__ import annotations

import itertools
import os
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from imagefactory.testing.wire import Wire, read_reply
from imagefactory.warehouse.server import download
from imagefactory.warehouse.store.directory import FileReader
from tests.warehouse.serving import ServerTestCase

EXTENTS = b"application/x-warehouse-extents"


class DownloadTests(ServerTestCase):
    """GET and HEAD of a body."""

    BODY = bytes(range(256)) * 10
    times = itertools.count(1)

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
        for more in (b"", b"Range: bytes=0-\r\n", b"Range: bytes=-9999\r\n", b"Accept: " + EXTENTS + b"\r\n"):
            self.damage()
            wire = Wire(self.site)
            wire.send(b"GET /b/k HTTP/1.1\r\nHost: h\r\n" + more + b"\r\n")
            head, _, data = wire.received().partition(b"\r\n\r\n")
            self.assertFalse(wire.transport.connected)
            self.assertLess(len(data), int(head.lower().partition(b"content-length: ")[2].split()[0]))
            self.assertEqual(self.status("GET", "/b/k"), 500)
            self.assertEqual(self.ask("GET", "/b/k/_etag").body.decode(), self.etag)
            self.assertEqual(self.status("PUT", "/b/k", self.BODY), 201)
            self.assertEqual(self.ask("GET", "/b/k").body, self.BODY)

    def damage(self) -> None:
        """Change the last byte on the disk."""
        (blob,) = self.blobs()
        blob.chmod(0o600)
        blob.write_bytes(self.BODY[:-1] + b"?")
        os.utime(blob, ns=(0, next(self.times)))

    def test_just_stored(self) -> None:
        """A body that came just now was hashed then: it is not hashed again for the first who fetches it."""
        self.patch(download, "digest_of", None)
        self.assertEqual(self.ask("GET", "/b/k").body, self.BODY)

    def test_damage_outside_a_range(self) -> None:
        """The first range of a body has all of it checked, in the background, and once."""
        self.damage()
        self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0").body, self.BODY[:1])
        self.assertEqual(self.status("GET", "/b/k", Range="bytes=0-0"), 500)
        self.ask("PUT", "/b/k", self.BODY)
        self.forget()
        opened = self.store.blobs.open
        with patch.object(self.store.blobs, "open", side_effect=opened) as opening:
            for _ in range(3):
                self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0").status, 206)
        self.assertEqual(opening.call_count, 4)

    def test_a_check_that_fails(self) -> None:
        """Does not keep others from being made, or the server from ending."""
        self.forget()
        with patch.object(FileReader, "extents", side_effect=OSError(5, "Input/output error")):
            self.assertEqual(self.ask("GET", "/b/k", Range="bytes=0-0").status, 206)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.damage()
        self.ask("GET", "/b/k", Range="bytes=0-0")
        self.assertEqual(self.status("GET", "/b/k"), 500)
        self.successResultOf(Deferred.fromCoroutine(self.site.application.close()))

    def test_cut_while_it_is_sent(self) -> None:
        """A body that becomes shorter meanwhile, checked lately or not, breaks the connection."""
        self.ask("GET", "/b/k")
        with patch.object(FileReader, "read", return_value=b"short"):
            wire = Wire(self.site)
            wire.send(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertFalse(wire.transport.connected)

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

    def test_replaced_and_deleted_while_it_is_sent(self) -> None:
        """A client in the middle of the old body gets the rest of it."""
        body = os.urandom(5 << 20)
        self.ask("PUT", "/b/k", body)
        wire = Wire(self.site)
        channel = wire.transport.protocol
        with patch.object(channel, "registerProducer", side_effect=lambda producer, _: producer.pauseProducing()):
            wire.send(b"GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
        self.ask("PUT", "/b/k", b"new")
        self.assertEqual(self.ask("GET", "/b/k").body, b"new")
        self.ask("DELETE", "/b/k")
        self.assertEqual(self.blobs(), [])
        channel.requests[0].producer.resumeProducing()
        self.assertEqual(read_reply(wire.received()).body, body)

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
