"""The cache keeps to its limit."""

import os
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import Deferred

from imagefactory.build.cache.interface import Entry, StageKey
from imagefactory.build.cache.keys import stage_key
from imagefactory.model.report import Progress
from tests.build.cache.cases import BASE, KIB, CacheCase, Maker, Notes


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

    def test_what_killed_processes_left_is_swept_at_start(self) -> None:
        """Unfinished work without a locked owner is removed; that of running processes stays."""
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
