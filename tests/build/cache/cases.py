"""A cache on a directory, producers that wait, reports that remember."""

from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from imagefactory.build.cache.cache import DirectoryCache
from imagefactory.build.cache.interface import Entry, StageKey
from imagefactory.build.cache.keys import stage_key
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
