"""Uploads in parts."""

from __future__ import annotations

import os
from unittest.mock import patch

from twisted.internet.defer import Deferred

from imagefactory.testing.wire import Wire, read_reply
from imagefactory.warehouse.server import sessions
from imagefactory.warehouse.store.blobs import Receiving
from tests.warehouse.serving import ServerTestCase


class ResumeTests(ServerTestCase):
    """Uploads that survive a broken connection."""

    def setUp(self) -> None:
        super().setUp()
        self.ask("PUT", "/b")

    def part(self, data: bytes, content_range: str, name: str = "u1") -> tuple[int, str | None]:
        """Send a part; its status and the offset told."""
        answer = self.ask("PUT", "/b/k", data, Content_Range=content_range, X_Warehouse_Upload=name)
        return answer.status, answer.headers.get("x-warehouse-offset")

    def begin(self, name: str) -> Wire:
        """A connection that has sent the head of a part."""
        wire = Wire(self.site)
        wire.send(
            b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nContent-Range: bytes 0-5/6\r\n"
            b"X-Warehouse-Upload: %s\r\n\r\n" % name.encode()
        )
        return wire

    def test_in_parts(self) -> None:
        """Parts make a whole, visible with the last."""
        self.assertEqual(self.part(b"abc", "bytes 0-2/6"), (202, "3"))
        self.assertEqual(self.status("GET", "/b/k"), 404)
        self.assertEqual(self.part(b"", "bytes */6"), (202, "3"))
        self.assertEqual(self.part(b"def", "bytes 3-5/6"), (201, None))
        self.assertEqual(self.ask("GET", "/b/k").body, b"abcdef")

    def test_goes_on_after_a_break(self) -> None:
        """What arrived before the connection broke is kept."""
        wire = self.begin("u1")
        wire.send(b"abcd")
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

    def test_a_question_changes_nothing(self) -> None:
        """A question for an unknown upload is answered with 0, and nothing is kept for it; it has no body."""
        before = len(os.listdir("/proc/self/fd"))
        for number in range(10):
            self.assertEqual(self.part(b"", "bytes */6", name=f"u{number}"), (202, "0"))
        self.assertEqual((self.blobs(), len(os.listdir("/proc/self/fd"))), ([], before))
        self.assertEqual(self.part(b"abcdef", "bytes */6")[0], 400)
        self.assertEqual(self.part(b"", "bytes */0"), (202, "0"))
        self.assertEqual(self.status("GET", "/b/k"), 404)
        self.assertEqual(self.part(b"def", "bytes 3-5/6"), (409, "0"))
        self.assertEqual(self.blobs(), [])

    def test_nothing_is_open_between_parts(self) -> None:
        """A thousand uploads that wait take no descriptors; after a break neither."""
        before = len(os.listdir("/proc/self/fd"))
        for name in ("u1", "u2"):
            self.assertEqual(self.part(b"x" * 100_000, "bytes 0-99999/300000", name), (202, "100000"))
        wire = self.begin("u3")
        wire.send(b"abcd")
        wire.hang_up()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(self.part(b"y" * 200_000, "bytes 100000-299999/300000"), (201, None))
        self.assertEqual(self.ask("GET", "/b/k").body, b"x" * 100_000 + b"y" * 200_000)

    def test_there_is_a_limit(self) -> None:
        """So many uploads may be open, no more."""
        with patch.object(sessions, "MOST", 2):
            told = [self.part(b"abc", "bytes 0-2/6", name)[0] for name in ("u1", "u2", "u3", "u1")]
        self.assertEqual(told, [202, 202, 503, 409])

    def test_exactly_the_part(self) -> None:
        """A body that is longer or shorter than its range says is refused; what arrived of the range stays."""
        self.assertEqual(self.part(b"abcdef", "bytes 0-2/6")[0], 400)
        self.assertEqual(self.part(b"ab", "bytes 0-2/6")[0], 400)
        self.assertEqual(self.part(b"", "bytes */6"), (202, "0"))
        for sent, offset in ((b"ab", "2"), (b"cdXYZ", "4")):
            wire = Wire(self.site)
            first = "0-3" if offset == "2" else "2-3"
            wire.send(
                b"PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nX-Warehouse-Upload: u1\r\n"
                b"Content-Range: bytes %s/6\r\n\r\n%d\r\n%s\r\n0\r\n\r\n" % (first.encode(), len(sent), sent)
            )
            answer = read_reply(wire.received())
            self.assertEqual((answer.status, answer.headers["x-warehouse-offset"]), (400, offset))
        self.assertEqual(self.part(b"ef", "bytes 4-5/6"), (201, None))
        self.assertEqual(self.ask("GET", "/b/k").body, b"abcdef")

    def test_two_begin_at_once(self) -> None:
        """One of them feeds the upload, the other hears so and leaves nothing behind."""
        receive, others = self.store.blobs.receive, []

        def meanwhile(*, content: bool) -> Receiving:
            if not others:
                others.append(None)
                others.append(self.part(b"abc", "bytes 0-2/6"))
            return receive(content=content)

        with patch.object(self.store.blobs, "receive", meanwhile):
            wire = self.begin("u1")
        self.assertEqual(others[1], (202, "3"))
        self.assertEqual(read_reply(wire.received()).status, 409)
        self.assertEqual(len(self.blobs()), 1)

    def test_wrong_parts(self) -> None:
        """A part that does not follow is 409 with the offset; what cannot be a part is 400."""
        self.part(b"abc", "bytes 0-2/6")
        self.assertEqual(self.part(b"f", "bytes 5-5/6"), (409, "3"))
        self.assertEqual(self.part(b"def", "bytes 3-5/7"), (409, "3"))
        self.assertEqual(self.part(b"def", "bytes 0-2/6"), (409, "3"))
        for wrong in ("bytes 3-2/6", "bytes 0-9/6", "x", "bytes 0-2/*"):
            self.assertEqual(self.part(b"abc", wrong)[0], 400, wrong)

    def test_forgotten(self) -> None:
        """An upload that does not go on is forgotten after an hour, with what arrived."""
        self.part(b"abc", "bytes 0-2/6")
        self.clock.advance(3601)
        self.assertEqual(self.part(b"abc", "bytes 0-2/6", name="u2"), (202, "3"))
        self.assertEqual(len(self.blobs()), 1)
        self.successResultOf(Deferred.fromCoroutine(self.site.application.sessions.close()))
        self.assertEqual(self.blobs(), [])
