"""The cache makes each result once, keeps it sound and keeps to its size."""

import os
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from imagefactory.build.cache.cache import POLL, DirectoryCache
from imagefactory.build.cache.interface import Entry, StageKey
from imagefactory.build.cache.keys import stage_key
from imagefactory.lib.errors import BuildFailed, Unavailable
from imagefactory.lib.files.content import content_of
from imagefactory.lib.files.locks import FileLock
from imagefactory.model.report import PercentRange, Progress, Report, StageOutcome
from imagefactory.testing.build import remove_all
from imagefactory.testing.threads import ImmediateThreads

KIB = 1 << 10
BASE = stage_key("base", {"suite": "bookworm", "packages": "a"})


class Notes:
    """A `Progress` that remembers."""

    def __init__(self) -> None:
        self.activities: list[str] = []
        self.lines: list[str] = []
        self.outcomes: list[StageOutcome] = []
        self.percents: list[int] = []

    def activity(self, text: str) -> None:
        self.activities.append(text)

    def progress(self, percent: float) -> None:
        pass

    def reached(self, percent: int) -> None:
        self.percents.append(percent)

    def between(self, low: int, high: int) -> Report:
        return PercentRange(self, low, high)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def stage(self, outcome: StageOutcome) -> None:
        self.outcomes.append(outcome)


class Maker:
    """A producer whose work ends when the test says so, or at once."""

    def __init__(self, data: bytes = b"result", *, waits: bool = False) -> None:
        self.data = data
        self.runs = 0
        self.cancelled = 0
        self.gate: Deferred[None] | None = Deferred() if waits else None
        self.report: Progress | None = None

    async def __call__(self, path: Path, report: Progress) -> Mapping[str, str]:
        self.runs += 1
        self.report = report
        path.write_bytes(self.data)
        if self.gate is not None:
            try:
                await self.gate
            except CancelledError:
                self.cancelled += 1
                raise
        return {"kernel": "/boot/vmlinuz"}


class CacheCase(TestCase):
    """A cache on a directory, a clock that stands still."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.root = Path(self.mktemp())
        self.cache = self.successResultOf(self.started(self.root))

    def started(self, root: Path, limit: int = 1 << 30) -> Deferred[DirectoryCache]:
        cache = DirectoryCache(root, limit, remove=remove_all, threads=ImmediateThreads(), clock=self.clock)

        async def start() -> DirectoryCache:
            await cache.start()
            return cache

        return Deferred.fromCoroutine(start())

    def obtaining(
        self, key: StageKey, maker: Maker, report: Report | None = None, cache: DirectoryCache | None = None
    ) -> Deferred[Entry]:
        return Deferred.fromCoroutine((cache or self.cache).obtain(key, maker, report or Notes()))

    def obtained(self, key: StageKey, maker: Maker | None = None, report: Report | None = None) -> Entry:
        return self.successResultOf(self.obtaining(key, maker or Maker(), report))

    def leftovers(self) -> list[str]:
        return [str(path) for name in ("making", "locks", "trash") for path in (self.root / name).iterdir()]


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
    """Who asks for the same gets the same."""

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

    def test_one_who_leaves_does_not_end_the_run(self) -> None:
        """Only the last one who waits cancels it; then nothing is left behind."""
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
        """Nobody is disturbed by it, and no call is left on the clock."""
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


class DamageTests(CacheCase):
    """What is not as it was made is made again."""

    def damaged(self, part: str, data: bytes | None) -> tuple[Maker, Notes]:
        """Obtain, damage one file of the entry, obtain again."""
        entry = self.obtained(BASE)
        self.cache.release(entry)
        path = entry.path.parent / part
        path.chmod(0o644)
        path.unlink() if data is None else path.write_bytes(data)
        maker, notes = Maker(), Notes()
        self.assertEqual(self.obtained(BASE, maker, notes).path.read_bytes(), b"result")
        self.assertEqual(self.leftovers(), [])
        return maker, notes

    def test_changed_content(self) -> None:
        """The same size, another byte: it is noticed, told, removed and made again."""
        maker, notes = self.damaged("body", b"resulT")
        self.assertEqual(maker.runs, 1)
        self.assertIn("damaged (the content of its body has changed)", notes.lines[0])
        self.assertEqual(len(self.flushWarnings()), 0)

    def test_every_other_damage(self) -> None:
        """Shorter, gone, sidecar rubbish, sidecar gone, sidecar with other facts."""
        for part, data in (("body", b"res"), ("body", None), ("entry.json", b"{}"), ("entry.json", None)):
            maker, _ = self.damaged(part, data)
            self.assertEqual(maker.runs, 1, (part, data))

    def test_changed_facts(self) -> None:
        """Facts are believed by those who get them, so they are checked as well."""
        entry = self.obtained(BASE)
        card = (entry.path.parent / "entry.json").read_bytes()
        self.cache.release(entry)
        maker, _ = self.damaged("entry.json", card.replace(b"vmlinuz", b"vmlinux"))
        self.assertEqual(maker.runs, 1)

    def test_a_damaged_neighbour_does_not_hinder(self) -> None:
        """An unreadable sidecar is passed over when a miss is explained."""
        (self.obtained(BASE).path.parent / "entry.json").write_bytes(b"\xff")
        self.assertEqual(self.cache.look(stage_key("base", {})).changed, ())


class SizeTests(CacheCase):
    """The cache keeps to its limit, and to its promises."""

    def keys(self, count: int) -> list[StageKey]:
        return [stage_key("base", {"number": str(number)}) for number in range(count)]

    def small(self, limit: int) -> None:
        self.cache = self.successResultOf(self.started(self.root, limit))

    def filled(self, key: StageKey) -> Entry:
        self.clock.advance(10)
        return self.obtained(key, Maker(os.urandom(64 * KIB)))

    def test_what_was_not_used_for_longest_goes(self) -> None:
        """Using an entry makes it young again."""
        self.small(150 * KIB)
        one, two, three = self.keys(3)
        for key in (one, two, one, three):
            self.cache.release(self.filled(key))
        self.assertEqual([self.cache.look(key).hit for key in (one, two, three)], [True, False, True])

    def test_what_is_in_use_stays(self) -> None:
        """In this process or another, until the last user has released it; then it may go."""
        self.small(80 * KIB)
        one, two, three = self.keys(3)
        held = self.filled(one)
        self.filled(one)
        self.cache.release(held)
        other = self.successResultOf(self.started(self.root, 1))
        self.cache.release(self.filled(two))
        self.assertTrue(held.path.exists())
        self.successResultOf(Deferred.fromCoroutine(other.start()))
        self.assertTrue(held.path.exists())
        self.cache.release(held)
        self.filled(three)
        self.assertFalse(held.path.exists())

    def test_holes_take_no_room(self) -> None:
        """A sparse disk counts for what it has allocated."""
        self.small(256 * KIB)

        async def produce(path: Path, report: Progress) -> Mapping[str, str]:
            path.write_bytes(b"x")
            os.truncate(path, 1 << 30)
            return {}

        entry = self.successResultOf(Deferred.fromCoroutine(self.cache.obtain(BASE, produce, Notes())))
        self.cache.release(entry)
        self.cache.release(self.filled(self.keys(1)[0]))
        self.assertTrue(self.cache.look(BASE).hit)

    def test_what_dead_processes_left_is_swept_at_start(self) -> None:
        """Unfinished work that nobody has the lock of goes; that of the living stays."""
        maker = Maker(waits=True)
        living = self.obtaining(BASE, maker)
        for path in ("making/dead-1", "trash/old"):
            (self.root / path).mkdir()
        (self.root / "locks" / "dead").write_bytes(b"")
        self.successResultOf(self.started(self.root))
        self.assertEqual([name for name in self.leftovers() if BASE.digest not in name], [])
        assert maker.gate is not None
        maker.gate.callback(None)
        self.assertEqual(self.successResultOf(living).path.read_bytes(), b"result")
