"""The cache of stage results: same key, same result, made once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.logger import Logger

from imagefactory.build.cache.directory import BODY, CARD, CacheDirectory, Lease
from imagefactory.build.cache.entry import EntryMetadata
from imagefactory.build.cache.fanout import Fanout
from imagefactory.build.cache.interface import Entry, Producer, StageKey
from imagefactory.build.cache.keys import differing, fingerprints
from imagefactory.build.cache.references import References
from imagefactory.lib.concurrency.cleanup import cleaned_up
from imagefactory.lib.concurrency.clock import Clock, sleep
from imagefactory.lib.concurrency.shared import SharedRuns
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.files.locks import FileLock
from imagefactory.lib.process.workspaces import Remove
from imagefactory.lib.sizes import human_size
from imagefactory.model.report import Progress, Report, StageOutcome
from imagefactory.systems.disk.stoppable import stoppable

GONE = "the cached file, which is gone"
"""What differs from an entry that has all the same inputs."""

POLL = 0.5
"""Seconds between two looks at whether another process is done."""


class DirectoryCache:
    """`StageCache` on a directory, which any number of processes may share.

    Locks are flock(2): the kernel gives back what a killed process had.

    Args:
        limit: bytes as they are allocated on the disk.
        remove: removes a tree with files of subordinate users.
    """

    _log = Logger()

    def __init__(self, root: Path, limit: int, *, remove: Remove, threads: Threads, clock: Clock) -> None:
        self._directory = CacheDirectory(root)
        self._limit = limit
        self._remove_tree = remove
        self._threads = threads
        self._clock = clock
        self._runs: SharedRuns[str, Entry] = SharedRuns()
        self._fanouts: dict[str, Fanout] = {}
        self._holds = References()

    async def start(self, *, evict: bool = True) -> None:
        """Make the directory; to be called once, before anything else.

        Args:
            evict: look through all entries for what is over the limit. What killed processes were making is removed in
                any case.

        Raises:
            Unavailable: it cannot be made.
        """
        await self._threads.run(self._directory.prepare)
        if evict:
            await self.evict()

    def look(self, key: StageKey) -> StageOutcome:
        """See `StageCache`; reads a small file per entry of the kind, so it may be called in a thread."""
        hit = (self._directory.path(key) / BODY).exists()
        return StageOutcome(key.kind, key.digest, hit, () if hit else self._changed(key))

    async def obtain(self, key: StageKey, produce: Producer, progress: Progress) -> Entry:
        """See `StageCache`. Raises what `produce` raises, and NoSpace."""
        fanout = self._fanouts.setdefault(key.digest, Fanout())
        self._holds.begin(key.digest)
        try:
            with fanout.heard_by(progress):
                return await self._runs.run(key.digest, lambda: self._supply(key, produce, fanout))
        except BaseException:
            self._holds.end(key.digest)
            raise
        finally:
            if not fanout:
                self._fanouts.pop(key.digest, None)

    def release(self, entry: Entry) -> None:
        """See `StageCache`."""
        self._holds.end(entry.key.digest)

    async def _supply(self, key: StageKey, produce: Producer, report: Progress) -> Entry:
        entry = await self._find(key, report)
        if entry is not None:
            return entry
        return await self._make_alone(key, produce, report)

    async def _make_alone(self, key: StageKey, produce: Producer, report: Progress) -> Entry:
        """Make it, or find that another process has made it while we waited."""
        lock = self._directory.making(key.digest)
        async with cleaned_up(lambda: self._threads.run(lock.release, remove=True)):
            await self._take(lock, key, report)
            return await self._find(key, report, alone=True) or await self._make(key, produce, report)

    async def _take(self, lock: FileLock, key: StageKey, report: Report) -> None:
        """Wait until no other process makes this result; one that does is polled, because it cannot tell of its end."""
        told = False
        while not await self._threads.run(lock.take, create=True):
            if not told:
                report.activity(f"waiting for another process that makes the same {key.kind} stage")
                told = True
            await sleep(self._clock, POLL)

    async def _find(self, key: StageKey, report: Report, *, alone: bool = False) -> Entry | None:
        """The entry if it is there and sound; `alone`, a damaged one is removed (else it could be a new one)."""
        started = self._clock.seconds()
        lease = Lease(self._directory.path(key))
        try:
            card = await self._sound(lease, key, report if alone else None)
            if card is None:
                lease.close()
                return None
            await self._threads.run(lease.touch, started)
        except BaseException:
            lease.close()
            raise
        seconds = self._clock.seconds() - started
        report.stage(StageOutcome(key.kind, key.digest, hit=True, seconds=seconds))
        report.line(f"HIT {key.kind} {key.digest[:12]}: {human_size(card.size)} from the cache")
        return self._held(key, lease, card)

    async def _sound(self, lease: Lease, key: StageKey, removing: Report | None) -> EntryMetadata | None:
        """The sidecar of an entry that is as it was made; a damaged one is removed if `removing` hears of it."""
        if not await self._threads.run(lease.open):
            return None
        damage = await stoppable(self._threads, lambda watch: lease.damage(key, watch))
        if not damage:
            return lease.card
        if removing is not None:
            await self._remove(lease, key, damage, removing)
        return None

    async def _remove(self, lease: Lease, key: StageKey, damage: str, report: Report) -> None:
        self._log.warn("cache entry {path} is damaged: {damage}; removed", path=str(lease.entry), damage=damage)
        report.line(f"the cached {key.kind} stage {key.digest[:12]} is damaged ({damage}); it is made again")
        await self._threads.run(self._directory.discard, lease.entry)

    async def _make(self, key: StageKey, produce: Producer, report: Progress) -> Entry:
        started = self._clock.seconds()
        outcome = await self._threads.run(self.look, key)
        report.stage(outcome)
        report.line(f"MISS {key.kind} {key.digest[:12]}: {_reason(outcome)}")
        work = self._directory.work(key.digest)
        lease = Lease(work)
        try:
            async with cleaned_up(lambda: self._threads.run(self._directory.discard, work)):
                await self._threads.run(self._directory.begin, key.digest, work)
                card = await self._produced(key, produce, work, report)
                entry = await self._placed(key, lease, card)
        except BaseException:
            lease.close()
            raise
        report.stage(replace(outcome, seconds=self._clock.seconds() - started))
        await self.evict()
        return entry

    async def _produced(self, key: StageKey, produce: Producer, work: Path, report: Progress) -> EntryMetadata:
        facts = await produce(work / BODY, report)
        now = self._clock.seconds()
        return await stoppable(self._threads, lambda watch: self._directory.finish(key, work, facts, now, watch))

    async def _placed(self, key: StageKey, lease: Lease, card: EntryMetadata) -> Entry:
        """Lease it first, then let others see it: no process evicts what was just made."""
        await self._threads.run(lease.open)
        await self._threads.run(self._directory.place, key, lease.entry)
        return self._held(key, lease, card)

    def _held(self, key: StageKey, lease: Lease, card: EntryMetadata) -> Entry:
        self._holds.keep(key.digest, lease)
        return Entry(key, self._directory.path(key) / BODY, card.content, card.size, dict(card.facts))

    async def evict(self) -> None:
        """Remove what was not used for longest until all entries together take at most the limit."""
        for path in await self._threads.run(self._directory.evict, self._limit):
            self._log.info(
                "cache: removed {kind} {key}, not used for longest", kind=path.parent.name, key=path.name[:12]
            )
        for path in await self._threads.run(self._directory.trash):
            await self._empty(path)

    async def _empty(self, path: Path) -> None:
        """Remove what is in the trash; what cannot be removed stays for the next start, and fails no build."""
        try:
            await self._remove_tree(path)
        except FactoryError as error:
            self._log.warn("{path} was not removed: {error}", path=str(path), error=error)

    def _changed(self, key: StageKey) -> tuple[str, ...]:
        """What differs from the entry of this kind that differs least, of several the one used last."""
        if (self._directory.path(key) / CARD).exists():
            return (GONE,)
        mine = fingerprints(key)
        nearest: tuple[int, float, tuple[str, ...]] | None = None
        for entry in self._directory.entries(key.kind):
            try:
                names = differing(entry.card().inputs, mine)
            except (ValueError, OSError):
                continue  # damaged or just gone: nothing to compare with
            candidate = (len(names), -entry.used, names)
            nearest = min(nearest or candidate, candidate)
        return nearest[2] if nearest else ()


def _reason(outcome: StageOutcome) -> str:
    if outcome.changed:
        return f"changed: {', '.join(outcome.changed)}"
    return f"no {outcome.kind} stage is cached yet"
