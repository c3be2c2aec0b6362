"""Bodies that changed on the disk, and what heals them; who may read them; older databases."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.warehouse.test_store import StoreTestCase


class HealingTests(StoreTestCase):
    """Storing a body again puts it in order, wherever it is."""

    def damage(self, data: bytes) -> None:
        """Overwrite the only body on the disk."""
        (file,) = self.files()
        file.chmod(0o600)
        file.write_bytes(data)

    def read(self, key: str) -> bytes:
        """What is stored there."""
        opened = self.store.open("b", key)
        assert opened is not None
        try:
            return opened[1].read(0, 99)
        finally:
            opened[1].close()

    def test_stored_again(self) -> None:
        """The damage has not been noticed; the new copy replaces the old one in all objects that share it."""
        self.store.put("b", "one", b"body", {})
        self.store.put("b", "two", b"body", {})
        self.damage(b"bODY")
        self.store.put("b", "three", b"body", {})
        self.assertEqual({self.read(key) for key in ("one", "two", "three")}, {b"body"})
        self.assertEqual(len(self.files()), 1)

    def test_noted_and_stored_again(self) -> None:
        """Damage that was noted keeps digest and ETag, and is gone when the body is stored again."""
        stored = self.store.put("b", "k", b"body", {})
        assert stored.blob is not None
        self.store.mark_damaged(stored.blob.id)
        found = self.store.find("b", "k")
        assert found is not None
        assert found.blob is not None
        self.assertTrue(found.blob.damaged)
        self.assertEqual(found.etag, sha256(b"body").hexdigest()[:16])
        again = self.store.put("b", "k", b"body", {})
        assert again.blob is not None
        self.assertFalse(again.blob.damaged)

    def test_found_intact(self) -> None:
        """What was found intact lately is not written again."""
        self.store.put("b", "one", b"body", {})
        opened = self.store.open("b", "one")
        assert opened is not None
        assert opened[0].blob is not None
        self.store.trust.add(opened[0].blob, opened[1])
        opened[1].close()
        before = self.files()
        self.store.put("b", "two", b"body", {})
        self.assertEqual(self.files(), before)


class ModeTests(StoreTestCase):
    """Images may hold secrets."""

    def test_only_the_owner_reads(self) -> None:
        """Neither a body that was sent nor one that was adopted, whatever their directory allows."""
        self.store.put("b", "sent", b"sent", {})
        image = self.directory / "image"
        image.write_bytes(b"adopted")
        self.store.adopt("b", "adopted", image, {})
        self.assertEqual([oct(path.stat().st_mode & 0o777) for path in self.files()], ["0o400"] * 2)
        self.assertEqual({oct(path.stat().st_mode & 0o777) for path in self.own_directories()}, {"0o700"})

    def own_directories(self) -> list[Path]:
        """The store's directory and the two in it."""
        return [self.path, self.path / "blobs", self.path / "incoming"]
