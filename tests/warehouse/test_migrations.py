"""Warehouses that earlier versions wrote; databases/version-N.sql are dumps of what their own code stored."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.testing.databases import described_tables, newest_tables, restore
from imagefactory.warehouse.store import open_store
from imagefactory.warehouse.store.schema import WAREHOUSE, metadata

DUMPS = Path(__file__).parent / "databases"
VERSIONS = range(1, len(WAREHOUSE.migrations) + 1)


class MigrationTests(SynchronousTestCase):
    """Every version that was released becomes the newest."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def restored(self, version: int, change: str = "") -> Path:
        """The directory of a warehouse of that version."""
        dump = self.directory / f"{version}.sql"
        dump.write_text((DUMPS / f"version-{version}.sql").read_text() + change)
        path = self.directory / str(version)
        restore(dump, path / "warehouse.db")
        return path

    def test_each_version_is_kept(self) -> None:
        """A new version comes with a database of the one before."""
        self.assertEqual({f"version-{number}.sql" for number in VERSIONS}, {path.name for path in DUMPS.iterdir()})

    def test_a_new_warehouse_has_the_described_tables(self) -> None:
        """The statements make what the code works with."""
        described = described_tables(self.directory / "described.db", metadata)
        self.assertEqual(described, newest_tables(self.directory / "new.db", WAREHOUSE))

    def test_an_old_warehouse_gets_the_same_tables(self) -> None:
        """Columns, keys and indexes, whatever the version."""
        new = newest_tables(self.directory / "new.db", WAREHOUSE)
        for version in VERSIONS:
            self.assertEqual(new, newest_tables(self.restored(version) / "warehouse.db", WAREHOUSE), version)

    def test_an_old_warehouse_keeps_its_objects(self) -> None:
        """With their attributes and bodies; this store is still this store."""
        for version in VERSIONS:
            store = open_store(self.restored(version))
            self.addCleanup(store.close)
            one, two = store.find("target_images", "one"), store.find("target_images", "two")
            assert one is not None
            assert one.blob is not None
            assert two is not None
            self.assertEqual((15, False, None), (one.blob.size, one.blob.damaged, two.blob))
            self.assertEqual(
                {"one": {"target": "rhevm", "build": "b1"}},
                store.attributes_of("target_images", ["one"], ["target", "build"]),
            )
            (here,) = store.replication.providers()
            self.assertEqual(("primary", True, "{}"), (here.name, here.here, here.more))

    def test_damage_that_was_noted_in_the_first_version(self) -> None:
        """It stood in the place of the digest."""
        store = open_store(self.restored(1, "UPDATE blob SET sha256 = 'damaged ' || id;"))
        self.addCleanup(store.close)
        found = store.find("target_images", "one")
        assert found is not None
        assert found.blob is not None
        self.assertTrue(found.blob.damaged)
