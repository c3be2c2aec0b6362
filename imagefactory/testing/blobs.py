"""The contract suite of `BlobStore`: a directory passes it, and so must whatever comes beside it."""

from __future__ import annotations

import os
from hashlib import sha256
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from imagefactory.lib.errors import NotFound
from imagefactory.lib.files.content import content_of
from imagefactory.warehouse.store.blobs import BlobStore

if TYPE_CHECKING:
    from unittest import TestCase as _Base
else:
    _Base = object


class BlobContract(_Base):
    """Mix into a trial SynchronousTestCase that defines `make()`; the store is fresh for each test."""

    def make(self) -> BlobStore:
        """The store to test; what it needs to be ended belongs into addCleanup."""
        raise NotImplementedError

    def test_written_and_read(self) -> None:
        """What was written, and what was skipped as zeros, is read back by ranges."""
        store = self.make()
        incoming = store.receive()
        incoming.write(b"begin")
        incoming.skip(1 << 20)
        incoming.write(b"end")
        self.assertEqual(incoming.size, (1 << 20) + 8)
        blob = incoming.finish()
        self.assertEqual(blob, incoming.finish())
        incoming.place()
        content = b"begin" + bytes(1 << 20) + b"end"
        self.assertEqual((blob.size, blob.sha256), (len(content), sha256(content).hexdigest()))
        reader = store.open(blob.id)
        self.addCleanup(reader.close)
        self.assertEqual(reader.size, blob.size)
        self.assertEqual((reader.read(0, 6), reader.read(blob.size - 3, 99)), (b"begin\0", b"end"))
        self.assertEqual(reader.read(blob.size, 1), b"")
        data = sum(length for _, length in reader.extents())
        self.assertTrue(8 <= data <= blob.size)

    def test_unseen_before_it_is_placed(self) -> None:
        """A body that is not placed cannot be opened, and is gone when it is discarded; twice is once."""
        store = self.make()
        incoming = store.receive()
        incoming.write(b"x")
        blob = incoming.finish()
        with self.assertRaises(NotFound):
            store.open(blob.id)
        incoming.discard()
        incoming.discard()

    def test_ids_are_never_reused(self) -> None:
        """Equal bodies have different ids: the store does not compare."""
        store = self.make()
        blobs = []
        for _ in range(2):
            incoming = store.receive()
            incoming.write(b"same")
            blobs.append(incoming.finish())
            incoming.discard()
        self.assertEqual(blobs[0].sha256, blobs[1].sha256)
        self.assertNotEqual(blobs[0].id, blobs[1].id)

    def test_removed_while_read(self) -> None:
        """A reader keeps what it opened; removing what is not there is no error."""
        store = self.make()
        incoming = store.receive()
        incoming.write(b"kept")
        blob = incoming.finish()
        incoming.place()
        reader = store.open(blob.id)
        self.addCleanup(reader.close)
        store.remove(blob.id)
        store.remove(blob.id)
        self.assertEqual(reader.read(0, 9), b"kept")
        with self.assertRaises(NotFound):
            store.open(blob.id)

    def test_adopted(self) -> None:
        """A local file becomes a body: untouched when it is discarded, gone when it is placed, its digest computed
        or believed."""
        store = self.make()
        content = b"begin" + bytes(1 << 20) + b"end"
        with TemporaryDirectory() as directory:
            path = Path(directory) / "image"
            path.write_bytes(content)
            discarded = store.adopt(path)
            self.assertEqual(discarded.finish().content, content_of(path))
            discarded.discard()
            self.assertEqual(path.read_bytes(), content)
            adopted = store.adopt(path, "f" * 64)
            blob = adopted.finish()
            adopted.place()
        self.assertEqual((blob.content, blob.size), ("f" * 64, len(content)))
        reader = store.open(blob.id)
        self.addCleanup(reader.close)
        self.assertEqual(reader.read(0, 2 << 20), content)

    def test_rest(self) -> None:
        """A body that rested goes on where it was, however often, and may be finished from there."""
        store = self.make()
        incoming = store.receive()
        for piece in (b"a" * 100_000, b"b", b"c" * 70_000):
            incoming.write(piece)
            incoming.rest()
            incoming.rest()
        blob = incoming.finish()
        self.assertEqual(blob.sha256, sha256(b"a" * 100_000 + b"b" + b"c" * 70_000).hexdigest())
        incoming.discard()

    def test_local_files(self) -> None:
        """The body is the file at its path, if the store has such; what is there otherwise is None."""
        store = self.make()
        incoming = store.receive()
        incoming.write(b"body")
        blob = incoming.finish()
        incoming.place()
        path = store.path(blob.id)
        if path is not None:
            self.assertEqual(path.read_bytes(), b"body")

    def test_versions(self) -> None:
        """An unchanged body has the same version each time, another body another one."""
        store = self.make()
        versions = []
        for body in (b"one", b"two"):
            incoming = store.receive()
            incoming.write(body)
            id = incoming.finish().id
            incoming.place()
            for _ in range(2):
                reader = store.open(id)
                versions.append(reader.version)
                reader.close()
            path = store.path(id)
            if path is not None:
                path.chmod(0o600)
                path.write_bytes(b"!" * 3)
                os.utime(path, (0, 0))
                reader = store.open(id)
                self.assertNotEqual(reader.version, versions[-1])
                reader.close()
        self.assertEqual((versions[0], versions[2]), (versions[1], versions[3]))
        self.assertNotEqual(versions[0], versions[2])

    def test_room(self) -> None:
        """The room that is left is a number, or not known."""
        free = self.make().free()
        self.assertTrue(free is None or free > 0)

    def test_closed(self) -> None:
        """Closing twice is closing once; what was placed outlives it."""
        store = self.make()
        incoming = store.receive()
        incoming.write(b"body")
        blob = incoming.finish()
        incoming.place()
        reader = store.open(blob.id)
        self.addCleanup(reader.close)
        store.close()
        store.close()
        self.assertEqual(reader.read(0, 9), b"body")

    def test_sweep_orphans(self) -> None:
        """What the metadata does not know goes, what it knows and what is arriving stays."""
        store = self.make()
        blobs = []
        for body in (b"known", b"orphan"):
            incoming = store.receive()
            incoming.write(body)
            blobs.append(incoming.finish())
            incoming.place()
        arriving = store.receive()
        self.assertEqual(store.sweep_orphans(lambda ids: {blobs[0].id} & set(ids), 0.0), 0)  # too young
        self.assertEqual(store.sweep_orphans(lambda ids: {blobs[0].id} & set(ids), inf), 1)
        store.open(blobs[0].id).close()
        with self.assertRaises(NotFound):
            store.open(blobs[1].id)
        arriving.write(b"still")
        arriving.finish()
        arriving.discard()
