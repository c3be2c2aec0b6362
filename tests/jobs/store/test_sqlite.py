"""Job stores."""

import sqlite3
from pathlib import Path

from twisted.trial.unittest import TestCase

from imagefactory.jobs.interface import LogLine
from imagefactory.jobs.store.interface import Batch, JobNode, JobStore, NewJobs
from imagefactory.jobs.store.sqlite import SqliteJobStore, open_store
from imagefactory.lib.errors import Conflict, NoSpace, Unavailable
from imagefactory.testing.job_store import ME, MemoryJobStore, job
from imagefactory.testing.job_store_contract import JobStoreContract
from imagefactory.testing.threads import ImmediateThreads


class MemoryTests(JobStoreContract, TestCase):
    """The store in memory keeps the contract."""

    def setUp(self) -> None:
        self.first = MemoryJobStore(now=lambda: self.time)

    async def open_store(self, node: JobNode) -> JobStore:
        return self.first.at(node)


class SqliteTests(JobStoreContract, TestCase):
    """The store in a file keeps the contract, and says clearly what is wrong with its file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "jobs.sqlite"

    async def open_store(self, node: JobNode) -> SqliteJobStore:
        store = await open_store(self.path, node, ImmediateThreads(), lambda: self.time)
        self.addCleanup(store._database.close)
        return store

    def raw(self, statement: str) -> list[tuple[object, ...]]:
        """Another process at the file."""
        with sqlite3.connect(self.path) as connection:
            return connection.execute(statement).fetchall()

    async def test_a_damaged_row_is_put_aside(self) -> None:
        """One unreadable job does not keep the others from being known, and stays for a person to look at."""
        store = await self.open_store(ME)
        await store.create(NewJobs([job("good"), job("bad")]))
        self.raw("update jobs set body = '{' where id = 'bad'")
        self.assertEqual([job("good")], await self.jobs(store))
        self.assertEqual([("bad",)], self.raw("select id from quarantine order by position"))
        self.assertEqual([job("good")], await self.jobs(store))

    async def test_a_later_version_is_refused(self) -> None:
        """A file that a newer program has migrated is left alone."""
        await self.open_store(ME)
        self.raw("pragma user_version = 99")
        with self.assertRaisesRegex(Conflict, "schema version 99"):
            await self.open_store(ME)

    async def test_only_the_owner_reads_it(self) -> None:
        """It keeps templates, which may hold root passwords."""
        await (await self.open_store(ME)).create(NewJobs([job()]))
        self.assertEqual({0o600}, {path.stat().st_mode & 0o777 for path in self.path.parent.iterdir()})

    async def test_a_file_that_does_not_shrink_is_written_anew(self) -> None:
        """Files of the first version kept the room of what was deleted."""
        await (await self.open_store(ME)).close()
        self.raw("pragma auto_vacuum = none")
        self.raw("vacuum")
        await self.open_store(JobNode("other"))
        self.assertEqual([(2,)], self.raw("pragma auto_vacuum"))

    async def test_jobs_of_a_request_share_it(self) -> None:
        """It is stored once, and goes with the last of them."""
        store = await self.open_store(ME)
        text = "x" * 1_000_000
        await store.create(NewJobs([job("a"), job("b"), job("c")], {"a": text, "b": text, "c": "{}"}))
        self.assertEqual([(2,)], self.raw("select count(*) from requests"))
        await store.forget(["a"])
        self.assertEqual(text, await store.request("b"))
        await store.forget(["b"])
        self.assertEqual([("{}",)], self.raw("select body from requests"))

    async def test_what_is_forgotten_takes_no_room(self) -> None:
        """The file becomes smaller."""
        store = await self.open_store(ME)
        await store.create(NewJobs([job("a")]))
        await store.write(Batch(lines=[LogLine("a", n, 1.0, "x" * 5000) for n in range(400)]), {"a": 1})
        self.raw("pragma wal_checkpoint(truncate)")
        before = self.path.stat().st_size
        await store.forget(["a"])
        self.raw("pragma wal_checkpoint(truncate)")
        self.assertLess(self.path.stat().st_size, before / 5)

    async def test_rubbish_is_refused(self) -> None:
        """A file that is no database is named, and not overwritten."""
        self.path.parent.mkdir()
        self.path.write_bytes(b"rubbish" * 1000)
        with self.assertRaisesRegex(Unavailable, "damaged"):
            await self.open_store(ME)
        self.assertEqual(b"rubbish" * 1000, self.path.read_bytes())

    async def test_a_directory_that_cannot_be_made_is_refused(self) -> None:
        """The error names the place and what to do."""
        self.path.parent.write_bytes(b"a file where the directory should be")
        with self.assertRaises(Unavailable) as caught:
            await self.open_store(ME)
        self.assertIn("state_dir", caught.exception.hint)

    async def test_a_full_file_system(self) -> None:
        """No space is said as such, and what was there before stays."""
        store = await open_store(self.path, ME, ImmediateThreads())
        await store.create(NewJobs([job("first")]))
        with store._database.read() as connection:
            connection.exec_driver_sql("pragma max_page_count = 1")
        many = [job(f"job-{number}" + "x" * 4000) for number in range(50)]
        with self.assertRaises(NoSpace):
            await store.create(NewJobs(many))
        self.assertEqual([job("first")], await self.jobs(store))
