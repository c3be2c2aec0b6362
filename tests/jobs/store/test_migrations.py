"""Job stores that earlier versions wrote; databases/version-N.sql are dumps of what their own code stored."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from imagefactory.jobs.store.interface import JobNode
from imagefactory.jobs.store.schema import STORE, metadata
from imagefactory.jobs.store.sqlite import open_store
from imagefactory.model.jobs import Completed, Failed, Queued
from imagefactory.testing.databases import described_tables, newest_tables, restore
from imagefactory.testing.threads import ImmediateThreads

DUMPS = Path(__file__).parent / "databases"
OLDER = range(1, len(STORE.migrations))
IDS = [f"aaaaaaaa-0000-4000-8000-00000000000{number}" for number in (1, 2, 3)]


class MigrationTests(TestCase):
    """Every version that was released becomes the newest."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def restored(self, version: int) -> Path:
        """A file of that version."""
        path = self.directory / f"{version}.sqlite"
        restore(DUMPS / f"version-{version}.sql", path)
        return path

    def test_each_version_is_kept(self) -> None:
        """A new version comes with a database of the one before."""
        kept = {path.name for path in DUMPS.iterdir()}
        self.assertEqual({f"version-{number}.sql" for number in OLDER}, kept)

    def test_a_new_file_has_the_described_tables(self) -> None:
        """The statements make what the code works with."""
        described = described_tables(self.directory / "described.sqlite", metadata)
        self.assertEqual(described, newest_tables(self.directory / "new.sqlite", STORE))

    def test_an_old_file_gets_the_same_tables(self) -> None:
        """Columns, keys and indexes, whatever the version."""
        new = newest_tables(self.directory / "new.sqlite", STORE)
        for version in OLDER:
            self.assertEqual(new, newest_tables(self.restored(version), STORE), version)

    async def test_an_old_file_keeps_its_jobs(self) -> None:
        """With their states, logs, events and what a retry needs."""
        for version in OLDER:
            store = await open_store(self.restored(version), JobNode("new"), ImmediateThreads())
            _, jobs = await store.load()
            self.assertEqual(IDS, [job.id for job in jobs], version)
            self.assertEqual([Completed, Failed, Queued], [type(job.state) for job in jobs])
            texts = [line.text for line in await store.log(IDS[0], after=0, limit=9)]
            self.assertEqual(["unpacking base-files", "done"], texts)
            self.assertEqual([1, 2], [event.id for event in await store.events(after=0, id=None, limit=9)])
            self.assertIn("<template/>", await store.request(IDS[1]))
            self.assertEqual("", await store.request(IDS[2]))
            await store.close()
