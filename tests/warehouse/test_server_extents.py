"""Bodies without their holes."""

from __future__ import annotations

import struct
from hashlib import sha256

from imagefactory.lib.files.content import ContentDigest
from imagefactory.testing.wire import read_reply
from tests.warehouse.serving import UploadTestCase

EXTENTS = "application/x-warehouse-extents"
FRAME = struct.Struct(">QQ")


class ExtentsTests(UploadTestCase):
    """Frames in and out."""

    def test_extents(self) -> None:
        """A body without its holes: sent and fetched as frames."""
        frames = FRAME.pack(0, 5) + b"start" + FRAME.pack(1 << 20, 3) + b"end" + FRAME.pack(3 << 20, 0)
        whole = b"start" + bytes((1 << 20) - 5) + b"end" + bytes((2 << 20) - 3)
        wire = self.begin(len(frames), f"Content-Type: {EXTENTS}")
        for at in range(len(frames)):
            wire.send(frames[at : at + 1])
        self.assertEqual(read_reply(wire.received()).headers["x-warehouse-sha256"], sha256(whole).hexdigest())
        self.assertEqual(self.body(), whole)
        got = self.ask("GET", "/b/k", Accept=EXTENTS)
        self.assertLess(len(got.body), 200_000)
        self.assertEqual(_unframe(got.body), whole)

    def test_checked_with_its_holes(self) -> None:
        """A body that was never read is checked while it goes out without its holes, and need not be again."""
        whole = b"start" + bytes(1 << 20) + b"end" + bytes(1 << 20)
        self.ask("PUT", "/b/k", whole)
        self.forget()
        self.assertEqual(_unframe(self.ask("GET", "/b/k", Accept=EXTENTS).body), whole)
        opened = self.store.open("b", "k")
        assert opened is not None
        assert opened[0].blob is not None
        self.assertTrue(self.store.trust.holds(opened[0].blob, opened[1]))
        opened[1].close()

    def test_known_by_content(self) -> None:
        """A client that tells the digest that costs nothing for holes hears it again, and from others nothing less."""
        frames = FRAME.pack(0, 5) + b"start" + FRAME.pack(1 << 20, 3) + b"end" + FRAME.pack(3 << 20, 0)
        whole = b"start" + bytes((1 << 20) - 5) + b"end" + bytes((2 << 20) - 3)
        digest = ContentDigest()
        digest.update(whole)
        known = {"Content_Type": EXTENTS, "X_Warehouse_Content": digest.hexdigest()}
        answer = self.ask("PUT", "/b/k", frames, **known)
        self.assertEqual(answer.headers["x-warehouse-content"], digest.hexdigest())
        self.assertNotIn("x-warehouse-sha256", answer.headers)
        self.assertNotIn("x-warehouse-sha256", self.ask("GET", "/b/k", Accept=EXTENTS).headers)
        self.assertEqual(self.ask("GET", "/b/k").headers["x-warehouse-sha256"], sha256(whole).hexdigest())
        self.assertEqual(self.body(), whole)
        self.assertEqual(self.status("PUT", "/b/k", frames, **{**known, "X_Warehouse_Content": "0" * 64}), 400)
        self.assertEqual(self.body(), whole)

    def test_two_forms_have_two_tags(self) -> None:
        """A cache takes neither form for the other; a reader of one may go on with a range of the other."""
        framed, plain = self.ask("GET", "/b/k", Accept=EXTENTS), self.ask("GET", "/b/k")
        tag = framed.headers["etag"]
        self.assertNotEqual(tag, plain.headers["etag"])
        self.assertEqual((framed.headers["vary"], plain.headers["vary"]), ("Accept", "Accept"))
        self.assertEqual(self.ask("GET", "/b/k", Accept=EXTENTS, If_None_Match=tag).status, 304)
        self.assertEqual(self.ask("GET", "/b/k", If_None_Match=tag).status, 200)
        self.assertEqual(self.ask("GET", "/b/k", If_Range=tag, Range="bytes=1-").body, b"ld")
        self.assertEqual(self.ask("GET", "/b").headers["vary"], "Accept")

    def test_bad_extents(self) -> None:
        """Frames that are out of order, cut or too many are refused as a whole."""
        last = FRAME.pack(10, 0)
        disorder = FRAME.pack(5, 1) + b"x" + FRAME.pack(4, 1) + b"y" + last
        cut = (b"", last[:9], FRAME.pack(0, 5) + b"st", FRAME.pack(0, 1) + b"x")
        for frames in (*cut, disorder, last + b"x", FRAME.pack((16 << 40) + 1, 0), FRAME.pack(1, 16 << 40)):
            self.assertEqual(self.status("PUT", "/b/k", frames, Content_Type=EXTENTS), 400, frames)
        self.assertEqual((self.body(), len(self.blobs())), (b"old", 1))


def _unframe(data: bytes) -> bytes:
    whole = b""
    while True:
        offset, length = FRAME.unpack_from(data)
        whole += bytes(offset - len(whole))
        if not length:
            return whole
        whole += data[FRAME.size : FRAME.size + length]
        data = data[FRAME.size + length :]
