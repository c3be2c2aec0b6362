"""Files that become bodies, and bodies in pieces."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagefactory.lib.files.holes import copy_data
from imagefactory.warehouse.store import incoming
from imagefactory.warehouse.store.digests import digested
from tests.warehouse.test_store import StoreTestCase


class AdoptTests(StoreTestCase):
    """Files that become bodies."""

    def image(self) -> tuple[Path, bytes]:
        """A file with holes, and its content."""
        path = self.directory / "image"
        with path.open("wb") as file:
            file.seek(1 << 20)
            file.write(b"middle")
            file.truncate(3 << 20)
        return path, path.read_bytes()

    def check(self, path: Path, content: bytes) -> None:
        """The file is the body of b/k now, with its holes."""
        self.assertFalse(path.exists())
        opened = self.store.open("b", "k")
        assert opened is not None
        assert opened[0].blob is not None
        self.assertEqual(opened[1].read(0, 4 << 20), content)
        self.assertEqual(opened[0].blob.sha256, "")
        asked = digested(self.store, opened[0])
        self.assertEqual(asked.blob and asked.blob.sha256, sha256(content).hexdigest())
        self.assertEqual(self.store.find("b", "k"), asked)
        self.assertEqual(asked.etag, opened[0].etag)
        self.assertLess(opened[0].blob.allocated, 100_000)
        opened[1].close()

    def test_linked(self) -> None:
        """On the same file system nothing is copied."""
        path, content = self.image()
        number = path.stat().st_ino
        self.store.adopt("b", "k", path, {})
        self.check(path, content)
        self.assertEqual([file.stat().st_ino for file in self.files()], [number])

    def test_same_content(self) -> None:
        """The same file twice is one body; so is the one that was a file when it is uploaded after it was fetched."""
        for key in ("k", "l"):
            self.image()
            self.store.adopt("b", key, self.directory / "image", {})
        self.assertEqual(len(self.files()), 1)
        stored = self.store.find("b", "k")
        assert stored is not None
        digested(self.store, stored)
        _, content = self.image()
        self.store.put("b", "m", content, {})
        self.assertEqual(len(self.files()), 1)
        self.assertEqual({self.store.attribute("b", key, "_etag") for key in "klm"}, {stored.etag})

    def test_damage_is_not_blessed(self) -> None:
        """A body that is not what was stored gets no SHA-256: it is marked as damaged."""
        path, _ = self.image()
        self.store.adopt("b", "k", path, {})
        file = self.files()[0]
        file.chmod(0o600)
        with file.open("r+b") as body:
            body.write(b"changed")
        stored = self.store.find("b", "k")
        assert stored is not None
        asked = digested(self.store, stored)
        assert asked.blob is not None
        self.assertEqual((asked.blob.sha256, asked.blob.damaged), ("", True))
        self.assertEqual(self.store.find("b", "k"), asked)

    def test_of_another_owner(self) -> None:
        """A file of another user, who could change it afterwards, is copied."""
        path, content = self.image()
        number = path.stat().st_ino
        with patch.object(os, "geteuid", return_value=path.stat().st_uid + 1):
            self.store.adopt("b", "k", path, {})
        self.check(path, content)
        self.assertNotEqual([file.stat().st_ino for file in self.files()], [number])

    def test_shared_blocks(self) -> None:
        """Where no link is possible but blocks can be shared, nothing is copied."""
        path, content = self.image()
        no_link = patch.object(os, "link", side_effect=OSError(18, "Invalid cross-device link"))

        def share(source: int, destination: int) -> bool:
            copy_data(source, destination)
            return True

        with no_link, patch.object(incoming, "reflink", share), patch.object(incoming, "copy_data") as copied:
            self.store.adopt("b", "k", path, {})
        self.assertFalse(copied.called)
        self.check(path, content)

    def test_copied(self) -> None:
        """Where no link is possible, data is copied and holes are not."""
        path, content = self.image()
        with patch.object(os, "link", side_effect=OSError(18, "Invalid cross-device link")):
            self.store.adopt("b", "k", path, {})
        self.check(path, content)

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 70_000)), max_size=6), st.integers(500, 50_000))
    @example([(True, 1), (True, 0)], 500)
    def test_pieces_make_no_difference(self, parts: list[tuple[bool, int]], step: int) -> None:
        """However a body comes in, data and zeros, it is the same body; skipping is writing zeros."""
        content = b"".join((b"d" if data else b"\0") * length for data, length in parts)
        written, skipped = self.store.blobs.receive(), self.store.blobs.receive()
        for at in range(0, len(content), step):
            written.write(content[at : at + step])
        for data, length in parts:
            _ = skipped.write(b"d" * length) if data else skipped.skip(length)
        one, two = written.finish(), skipped.finish()
        expected = (sha256(content).hexdigest(), len(content))
        self.assertEqual([(one.sha256, one.size), (two.sha256, two.size)], [expected, expected])
        (path,) = (path for path in self.files() if path.name == one.id)
        self.assertEqual(path.read_bytes(), content)
        written.discard()
        skipped.discard()
