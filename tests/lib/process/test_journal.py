"""Journal and reaper: what a killed run leaves is removed by the next one, and nothing else is."""

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.lib.process.interface import Command, Privilege
from imagefactory.lib.process.journal import ChildRecord, Journal, JournalEntry, decode, encode, is_alive
from imagefactory.lib.process.proc import Stat
from imagefactory.lib.process.reap import reap, victims_of
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

T = TypeVar("T")
TOKEN = "0123456789abcdef" * 2


class CodecTests(SynchronousTestCase):
    """Entries as text."""

    def test_round_trip(self) -> None:
        """What is written is read."""
        entry = JournalEntry(TOKEN, 7, "boot", (ChildRecord(8, 900), ChildRecord(9, 901)), ("/srv/a b", "/srv/ü"))
        self.assertEqual(decode(encode(entry)), entry)

    def test_damage(self) -> None:
        """Every kind of rubbish is a ValueError and nothing else."""
        good = encode(JournalEntry(TOKEN, 7, "boot", (ChildRecord(8, 900),), ("/srv/a",)))
        bad = [
            "",
            "\0" * 100,
            "[]",
            "{}",
            "[" * 100_000,
            good[:-20],
            good.replace("/srv/a", "srv/a"),
            good.replace("900", "-1"),
            good.replace("900", '"x"'),
            good.replace(TOKEN, ""),
            good.replace('"/srv/a"', "5"),
            good.replace("/srv/a", "/srv/\\u0000"),
        ]
        for text in bad:
            self.assertRaises(ValueError, decode, text)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Nothing else is raised, whatever the text."""
        self.assertRaises(ValueError, decode, text)


class VictimTests(SynchronousTestCase):
    """Who belongs to an entry."""

    def victims(
        self, entry: JournalEntry, *running: Stat, boot: str = "boot", environments: dict[int, str] | None = None
    ) -> list[int]:
        proc = Path(self.mktemp())
        for pid, text in (environments or {}).items():
            (proc / str(pid)).mkdir(parents=True)
            (proc / str(pid) / "environ").write_text(text)
        return list(victims_of(entry, list(running), boot, proc))

    def test_token(self) -> None:
        """Processes that carry the token, in any group, and none with another."""
        environments = {5: f"A=1\0IMAGEFACTORY_RUN={TOKEN}\0", 6: f"IMAGEFACTORY_RUN={TOKEN}0\0", 7: "A=1\0"}
        running = [Stat(pid, "S", pid, 1) for pid in environments]
        self.assertEqual(self.victims(JournalEntry(TOKEN, 1, "boot"), *running, environments=environments), [5])

    def test_group_of_a_known_child(self) -> None:
        """Pid and start time must both be right."""
        entry = JournalEntry(TOKEN, 1, "boot", (ChildRecord(5, 100), ChildRecord(8, 100)))
        running = [
            Stat(5, "S", 5, 100),
            Stat(6, "S", 5, 102),
            Stat(7, "Z", 5, 101),
            Stat(8, "S", 8, 999),
            Stat(9, "S", 8, 999),
        ]
        self.assertEqual(self.victims(entry, *running), [5, 6])

    def test_after_a_reboot(self) -> None:
        """Pids of another boot name no process."""
        self.assertEqual(self.victims(JournalEntry(TOKEN, 1, "old", (ChildRecord(5, 100),)), Stat(5, "S", 5, 100)), [])


class JournalTests(SynchronousTestCase):
    """Writing and reaping, with the file system but without processes."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.processes = ScriptedProcesses.of(self)
        self.threads = ImmediateThreads()

    def open(self) -> Journal:
        return self.successResultOf(Deferred.fromCoroutine(Journal.open(self.directory, self.threads)))

    def does(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns the result of a coroutine that is done at once."""
        return self.successResultOf(Deferred.fromCoroutine(work))

    def kill(self, journal: Journal) -> None:
        """As if its process were killed: its lock is gone, its entry is not."""
        self.does(journal.abandon())

    def reap(self) -> list[JournalEntry]:
        work = reap(
            self.directory,
            threads=self.threads,
            clock=Clock(),
            processes=self.processes,
            privilege=Privilege(),
        )
        return self.successResultOf(Deferred.fromCoroutine(work))

    def entry(self, journal: Journal) -> JournalEntry:
        return decode((self.directory / f"{journal.token}.json").read_text())

    def test_is_written_before_and_after(self) -> None:
        """Workspaces and children are in the file as long as they are there."""
        journal = self.open()
        self.assertEqual(journal.environment, {"IMAGEFACTORY_RUN": journal.token})
        self.does(journal.add_workspace(Path("/srv/work")))
        journal.started(os.getpid())
        entry = self.entry(journal)
        self.assertEqual((entry.owner, entry.workspaces), (os.getpid(), ("/srv/work",)))
        self.assertEqual([one.pid for one in entry.children], [os.getpid()])
        journal.ended(os.getpid())
        self.does(journal.drop_workspace(Path("/srv/work")))
        self.assertEqual((self.entry(journal).children, self.entry(journal).workspaces), ((), ()))
        self.does(journal.close())
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_a_journal_that_cannot_be_written(self) -> None:
        """Nothing new may be started then, and the error says why; what is gone may be forgotten."""
        journal = self.open()
        self.does(journal.add_workspace(Path("/srv/work")))
        moved = self.directory.rename(self.directory.with_name("moved"))
        adding = Deferred.fromCoroutine(journal.add_workspace(Path("/srv/more")))
        error = self.failureResultOf(adding, FactoryError).value
        self.assertIn("state_dir", error.hint)
        self.does(journal.drop_workspace(Path("/srv/work")))
        moved.rename(self.directory)
        self.does(journal.close())
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_an_entry_of_a_run_that_lasts_is_kept(self) -> None:
        """Another run that lives keeps its entry, workspaces and processes."""
        journal = self.open()
        self.does(journal.add_workspace(Path("/srv/work")))
        self.assertEqual(self.reap(), [])
        self.assertEqual(self.entry(journal).workspaces, ("/srv/work",))
        self.does(journal.close())

    def test_whether_a_run_is_alive(self) -> None:
        """Its lock tells, to this process and others; to ask does not take the lock."""
        journal, other = self.open(), self.open()
        for _ in range(2):
            self.assertTrue(is_alive(self.directory, journal.token))
        self.kill(journal)
        self.does(other.close())
        self.assertEqual([False] * 3, [is_alive(self.directory, one) for one in (journal.token, other.token, "none")])

    def test_an_entry_of_a_killed_run_is_cleared(self) -> None:
        """Its workspaces are removed, its files are gone."""
        journal = self.open()
        self.does(journal.add_workspace(Path("/srv/work")))
        self.kill(journal)
        self.processes.expect("rm -rf .* /srv/work$")
        self.assertEqual([entry.token for entry in self.reap()], [journal.token])
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_what_cannot_be_removed_is_kept_for_next_time(self) -> None:
        """And does not keep others from being cleared."""
        for name in ("one", "two"):
            journal = self.open()
            self.does(journal.add_workspace(Path(f"/srv/{name}")))
            self.kill(journal)
        self.processes.expect("rm .* /srv/one", exit=1)
        self.processes.expect("rm .* /srv/two")
        self.assertEqual([entry.workspaces for entry in self.reap()], [("/srv/two",)])
        self.processes.expect("rm .* /srv/one")
        self.assertEqual([entry.workspaces for entry in self.reap()], [("/srv/one",)])

    def test_an_orderly_end_that_left_something_is_cleared_by_the_next_start(self) -> None:
        """A workspace that could not be removed, because something was mounted there, stays in the entry."""
        mounted = True

        async def remove(path: Path) -> None:
            if mounted:
                raise Conflict("/dev is mounted there", where=str(path))

        journal = self.open()
        workspaces = Workspaces(Path(self.mktemp()).absolute(), journal, remove, self.threads)
        kept, gone = self.does(workspaces.make("kept")), self.does(workspaces.make("gone"))
        self.failureResultOf(Deferred.fromCoroutine(workspaces.remove(kept)), Conflict)
        mounted = False
        self.does(workspaces.remove(gone))
        self.does(journal.close())
        self.assertEqual(self.entry(journal).workspaces, (str(kept),))
        self.processes.expect(f"rm -rf .* {kept}$")
        self.assertEqual([entry.token for entry in self.reap()], [journal.token])
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_an_orderly_end_with_a_living_child(self) -> None:
        """The child is known to the next start, too."""
        journal = self.open()
        journal.started(os.getpid())
        self.does(journal.close())
        self.assertEqual([one.pid for one in self.entry(journal).children], [os.getpid()])

    def test_damaged_entry_is_set_aside(self) -> None:
        """It is not fatal and nothing is done for it."""
        journal = self.open()
        (self.directory / f"{journal.token}.json").write_text("{ damaged")
        self.kill(journal)
        self.assertEqual(self.reap(), [])
        self.assertEqual([path.name for path in self.directory.iterdir()], [f"{journal.token}.damaged"])

    def test_no_directory_yet(self) -> None:
        """The very first start has nothing to reap."""
        self.assertEqual(self.reap(), [])

    def test_crash_while_reaping_can_be_repeated(self) -> None:
        """An unexpected error leaves the entry for the next start."""
        journal = self.open()
        self.does(journal.add_workspace(Path("/srv/work")))
        self.kill(journal)

        def boom(command: Command) -> None:
            raise RuntimeError("unexpected")

        self.processes.expect("rm", effect=boom)
        work = reap(
            self.directory,
            threads=self.threads,
            clock=Clock(),
            processes=self.processes,
            privilege=Privilege(),
        )
        self.failureResultOf(Deferred.fromCoroutine(work), RuntimeError)
        self.processes.expect("rm")
        self.assertEqual(len(self.reap()), 1)
