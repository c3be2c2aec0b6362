"""The cache makes each result once, for all who need it."""

from unittest.mock import patch

from twisted.internet.defer import CancelledError

from imagefactory.build.cache.cache import POLL, DirectoryCache
from imagefactory.build.cache.keys import stage_key
from imagefactory.lib.errors import BuildFailed, Unavailable
from imagefactory.lib.files.content import content_of
from imagefactory.lib.files.locks import FileLock
from imagefactory.model.report import StageOutcome
from imagefactory.testing.build import remove_all
from imagefactory.testing.threads import ImmediateThreads
from tests.build.cache.cases import BASE, CacheCase, Maker, Notes


class ObtainTests(CacheCase):
    """A result is made when it is not there, and only then."""

    def test_a_miss_is_made(self) -> None:
        """The entry has what the producer wrote and said, and digest and size of it."""
        entry = self.obtained(BASE)
        self.assertEqual(entry.path.read_bytes(), b"result")
        self.assertEqual((entry.size, dict(entry.facts)), (6, {"kernel": "/boot/vmlinuz"}))
        self.assertEqual(entry.content, content_of(entry.path))
        self.assertEqual(self.leftovers(), [])

    def test_a_hit_is_not_made(self) -> None:
        """The second time, and in another process, the producer is not called."""
        self.cache.release(self.obtained(BASE))
        again = self.successResultOf(self.started(self.root))
        for cache in (self.cache, again):
            maker = Maker()
            entry = self.successResultOf(self.obtaining(BASE, maker, cache=cache))
            self.assertEqual((maker.runs, entry.path.read_bytes()), (0, b"result"))
            self.assertEqual(dict(entry.facts), {"kernel": "/boot/vmlinuz"})

    def test_hit_and_miss_are_told(self) -> None:
        """A line and an outcome for each; a miss is told before the work and again, with its time, after it."""
        notes, maker = Notes(), Maker(waits=True)
        done = self.obtaining(BASE, maker, notes)
        self.assertEqual([(outcome.hit, outcome.seconds) for outcome in notes.outcomes], [(False, None)])
        self.assertIn("no base stage is cached yet", notes.lines[0])
        self.clock.advance(7)
        assert maker.gate is not None
        maker.gate.callback(None)
        self.successResultOf(done)
        self.assertEqual(notes.outcomes[-1], StageOutcome("base", BASE.digest, hit=False, seconds=7.0))
        self.obtained(BASE, report=notes)
        self.assertTrue(notes.outcomes[-1].hit)
        self.assertIn("HIT base", notes.lines[-1])

    def test_a_miss_names_what_changed(self) -> None:
        """The comparison is with the entry of the kind that differs least."""
        self.obtained(stage_key("base", {"suite": "trixie", "packages": "x", "arch": "arm"}))
        self.obtained(BASE)
        self.obtained(stage_key("customise", {"suite": "bookworm", "packages": "b"}))
        notes = Notes()
        self.obtained(stage_key("base", {"suite": "bookworm", "packages": "b"}), report=notes)
        self.assertEqual(notes.outcomes[0].changed, ("packages",))
        self.assertIn("changed: packages", notes.lines[0])

    def test_a_miss_for_want_of_the_file(self) -> None:
        """All inputs are those of an entry; only its file is not there any more."""
        self.obtained(BASE).path.unlink()
        self.assertEqual(self.cache.look(BASE).changed, ("the cached file, which is gone",))

    def test_looking_changes_nothing(self) -> None:
        """A plan is told hit or miss, and nothing appears."""
        before = sorted(self.root.rglob("*"))
        self.assertEqual(self.cache.look(BASE), StageOutcome("base", BASE.digest, hit=False))
        self.assertEqual(sorted(self.root.rglob("*")), before)
        self.obtained(BASE)
        self.assertTrue(self.cache.look(BASE).hit)

    def test_a_plan_needs_no_directory(self) -> None:
        """Looking works before anything was ever built."""
        cache = DirectoryCache(
            self.root / "nowhere", 1, remove=remove_all, threads=ImmediateThreads(), clock=self.clock
        )
        self.assertFalse(cache.look(BASE).hit)

    def test_a_failure_leaves_nothing(self) -> None:
        """The error reaches the caller, the unfinished file is gone, and the next one tries again."""
        maker = Maker(waits=True)
        done = self.obtaining(BASE, maker)
        assert maker.gate is not None
        maker.gate.errback(BuildFailed("no"))
        self.failureResultOf(done, BuildFailed)
        self.assertEqual((self.leftovers(), self.cache.look(BASE).hit), ([], False))
        self.obtained(BASE)

    def test_a_clean_up_that_fails(self) -> None:
        """The error of the stage is raised; a stage that was made is there, and no lock stays."""
        for broken in ("imagefactory.lib.files.locks.Path.unlink", "imagefactory.build.cache.directory.Path.rename"):
            maker = Maker(waits=True)
            done = self.obtaining(BASE, maker)
            assert maker.gate is not None
            with patch(broken, side_effect=PermissionError(1, "no")):
                maker.gate.errback(BuildFailed("no"))
            self.failureResultOf(done, BuildFailed)
        with patch("imagefactory.lib.files.locks.Path.unlink", side_effect=PermissionError(1, "no")):
            self.obtained(BASE)
        self.assertTrue(FileLock(self.root / "locks" / BASE.digest).take())

    def test_a_directory_that_cannot_be_made_is_an_error_of_its_own(self) -> None:
        """It says where, and what to do."""
        (self.root / "file").write_text("")
        error = self.failureResultOf(self.started(self.root / "file" / "cache"), Unavailable).value
        self.assertIn("state_dir", error.hint)


class SharingTests(CacheCase):
    """Requests for the same key get the same entry."""

    def test_two_share_one_run(self) -> None:
        """One run; both get the entry and all reports, the late one what it missed."""
        maker, first, second = Maker(waits=True), Notes(), Notes()
        one = self.obtaining(BASE, maker, first)
        assert maker.report is not None
        assert maker.gate is not None
        maker.report.activity("unpacking")
        maker.report.between(30, 50).progress(50)
        two = self.obtaining(BASE, maker, second)
        maker.report.line("hello")
        maker.gate.callback(None)
        self.assertEqual(self.successResultOf(one), self.successResultOf(two))
        self.assertEqual(maker.runs, 1)
        self.assertEqual((second.activities, second.percents), (["unpacking"], [40]))
        self.assertTrue("hello" in first.lines and "hello" in second.lines)
        self.assertEqual(second.outcomes[0].hit, False)

    def test_one_that_leaves_does_not_end_the_run(self) -> None:
        """The last one that waits cancels it; then nothing is left behind."""
        maker, first = Maker(waits=True), Notes()
        one, two = self.obtaining(BASE, maker, first), self.obtaining(BASE, maker)
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertEqual(maker.cancelled, 0)
        assert maker.report is not None
        maker.report.line("later")
        self.assertNotIn("later", first.lines)
        two.cancel()
        self.failureResultOf(two, CancelledError)
        self.assertEqual((maker.cancelled, self.leftovers()), (1, []))

    def test_another_process_is_waited_for(self) -> None:
        """The second process polls, says so once, and finds what the first has made."""
        other = self.successResultOf(self.started(self.root))
        maker, notes = Maker(waits=True), Notes()
        first = self.obtaining(BASE, maker)
        second = self.obtaining(BASE, Maker(b"never"), notes, other)
        self.clock.pump([POLL] * 5)
        self.assertNoResult(second)
        self.assertEqual(len(notes.activities), 1)
        assert maker.gate is not None
        maker.gate.callback(None)
        self.clock.advance(POLL)
        self.assertEqual(self.successResultOf(first).content, self.successResultOf(second).content)
        self.assertTrue(notes.outcomes[-1].hit)

    def test_waiting_for_another_process_can_be_cancelled(self) -> None:
        """The other one goes on, and no call is left on the clock."""
        other = self.successResultOf(self.started(self.root))
        maker = Maker(waits=True)
        first, second = self.obtaining(BASE, maker), self.obtaining(BASE, Maker(), cache=other)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        assert maker.gate is not None
        maker.gate.callback(None)
        self.successResultOf(first)

    def test_if_the_other_process_fails_the_work_is_taken_over(self) -> None:
        """Its failure is its own."""
        other = self.successResultOf(self.started(self.root))
        maker, mine = Maker(waits=True), Maker(b"mine")
        first, second = self.obtaining(BASE, maker), self.obtaining(BASE, mine, cache=other)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.clock.advance(POLL)
        self.assertEqual(self.successResultOf(second).path.read_bytes(), b"mine")
