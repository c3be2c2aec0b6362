"""A job store in memory, and the contract that every job store keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest import TestCase

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store.interface import Batch, JobStore, LogExtent, Owner, Remembered
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation, Queued, Running, State
from imagefactory.model.report import StageOutcome

if TYPE_CHECKING:
    _Suite = TestCase
else:
    _Suite = object  # the test case it is mixed into has the assertions; alone it is no test

#: The process that the fakes believe to be in.
ME = Owner(100, 1)


def job(id: str = "00000000-0000-4000-8000-00000000000a", created: float = 5.0) -> Job:
    """A build job that runs."""
    return Job(id, Operation.BUILD, "mock", "image", "build", created, state=Running("BUILDING"))


class MemoryJobStore:
    """A `JobStore` that forgets with the process; `at` gives another process's view of the same store."""

    def __init__(self, owner: Owner = ME, shared: MemoryJobStore | None = None) -> None:
        self._owner = owner
        self._jobs: dict[str, Remembered] = shared._jobs if shared else {}
        self._requests: dict[str, str] = shared._requests if shared else {}
        self._lines: dict[tuple[str, int], LogLine] = shared._lines if shared else {}
        self._events: dict[tuple[int, str], JobEvent] = shared._events if shared else {}
        self._revisions: dict[str, int] = shared._revisions if shared else {}
        self._reserved: list[int] = shared._reserved if shared else [0]
        self.failure: FactoryError | None = None

    def at(self, owner: Owner) -> MemoryJobStore:
        """The same store, opened by another process."""
        return MemoryJobStore(owner, self)

    async def load(self) -> list[Remembered]:
        return list(self._jobs.values())

    async def others(self, after: int) -> tuple[int, list[Remembered]]:
        changed = [one for id, one in self._jobs.items() if self._revisions[id] > after]
        return max(self._revisions.values(), default=after), [one for one in changed if one.owner != self._owner]

    async def write(self, batch: Batch) -> None:
        if self.failure is not None:
            raise self.failure
        self._jobs.update({job.id: Remembered(job, self._owner) for job in batch.jobs})
        last = max(self._revisions.values(), default=0)
        self._revisions.update({job.id: last + 1 for job in batch.jobs})
        self._requests.update(batch.requests)
        self._lines.update({(line.job, line.number): line for line in batch.lines})
        self._events.update({(event.id, event.job.id): event for event in batch.events})

    async def claim(self, id: str, owner: Owner) -> Job | None:
        known = self._jobs.get(id)
        if known is None or known.owner != owner:
            return None
        self._jobs[id] = Remembered(known.job, self._owner)
        return known.job

    async def request(self, id: str) -> str:
        return self._requests.get(id, "")

    async def log(self, id: str, *, after: int, limit: int) -> list[LogLine]:
        return [line for key, line in sorted(self._lines.items()) if key[0] == id and key[1] > after][:limit]

    async def extent(self, id: str) -> LogExtent:
        lines = [line for (job, _), line in self._lines.items() if job == id]
        size = sum(len(line.text.encode()) for line in lines)
        return LogExtent(max((line.number for line in lines), default=0), size)

    async def events(self, *, after: int, id: str | None, limit: int) -> list[JobEvent]:
        chosen = [event for key, event in sorted(self._events.items()) if key[0] > after and id in {None, key[1]}]
        return chosen[:limit]

    async def last_event(self) -> int:
        return max((id for id, _ in self._events), default=0)

    async def reserve_events(self, count: int) -> int:
        if self.failure is not None:
            raise self.failure
        first = max(self._reserved[0], await self.last_event())
        self._reserved[0] = first + count
        return first

    async def forget(self, ids: Sequence[str]) -> None:
        for id in ids:
            self._jobs.pop(id, None)
            self._requests.pop(id, None)
            self._revisions.pop(id, None)
        for line in [key for key in self._lines if key[0] in ids]:
            del self._lines[line]
        for event in [key for key in self._events if key[1] in ids]:
            del self._events[event]

    async def close(self) -> None:
        pass


class JobStoreContract(_Suite):
    """What every `JobStore` does; mixed into a test case that has `open_store`."""

    async def open_store(self, owner: Owner) -> JobStore:
        """The one store of this test, as process `owner` opens it."""
        raise NotImplementedError

    async def test_jobs_come_back(self) -> None:
        """Jobs are there again, in order of creation, in every state, with who wrote them."""
        store = await self.open_store(ME)
        failure = Failure("no", "hint", "abc", cancelled=True)
        states: tuple[State, ...] = (
            Queued(),
            Running("BUILDING"),
            Completed("ami-1", 3),
            Failed(failure),
        )
        stage = StageOutcome("base", "aa", hit=False, changed=("packages",), seconds=1.5)
        jobs = [replace(job(f"id-{n}"), state=state, stages=(stage,)) for n, state in enumerate(states)]
        await store.write(Batch(jobs))
        await store.write(Batch(jobs[:1]))
        again = await self.open_store(ME)
        self.assertEqual([Remembered(job, ME) for job in jobs], await again.load())

    async def test_a_job_keeps_its_request(self) -> None:
        """What a retry needs stays when the job changes later; an unknown job has none."""
        store = await self.open_store(ME)
        await store.write(Batch([job()], {job().id: "{}"}))
        await store.write(Batch([replace(job(), percent=50)]))
        self.assertEqual("{}", await store.request(job().id))
        self.assertEqual("", await store.request("nobody"))

    async def test_log(self) -> None:
        """Lines come back by job and number; written twice they are there once."""
        store = await self.open_store(ME)
        lines = [LogLine("a", number, 1.0, f"line {number} \N{SNOWMAN}") for number in (1, 2, 3)]
        await store.write(Batch(lines=lines))
        await store.write(Batch(lines=[*lines[2:], LogLine("b", 1, 1.0, "other")]))
        self.assertEqual(lines[1:2], await store.log("a", after=1, limit=1))
        size = sum(len(line.text.encode()) for line in lines)
        self.assertEqual((LogExtent(3, size), LogExtent()), (await store.extent("a"), await store.extent("c")))

    async def test_events(self) -> None:
        """Events come back in order, of all jobs or of one."""
        store = await self.open_store(ME)
        self.assertEqual(0, await store.last_event())
        events = [JobEvent(n, 1.0, job("a" if n % 2 else "b"), "stage") for n in (1, 2, 3)]
        await store.write(Batch(events=events))
        self.assertEqual(events[1:], await store.events(after=1, id=None, limit=10))
        self.assertEqual([events[0]], await store.events(after=0, id="a", limit=1))
        self.assertEqual(3, await store.last_event())

    async def test_ids_of_events_are_given_once(self) -> None:
        """Blocks of all processes are apart, above what was ever written, and not given again after a restart."""
        one, other = await self.open_store(ME), await self.open_store(Owner(2, 2))
        await one.write(Batch(events=[JobEvent(7, 1.0, job("a"))]))
        self.assertEqual(7, await one.reserve_events(10))
        self.assertEqual(17, await other.reserve_events(5))
        self.assertEqual(22, await (await self.open_store(ME)).reserve_events(1))
        await other.forget(["a"])
        self.assertEqual(23, await one.reserve_events(1))

    async def test_one_takes_over(self) -> None:
        """Of two who want the jobs of a process that is gone, one gets them."""
        gone, first, second = Owner(1, 1, daemon=False), Owner(2, 2, daemon=False), Owner(3, 3)
        await (await self.open_store(gone)).write(Batch([job()]))
        one, other = await self.open_store(first), await self.open_store(second)
        self.assertEqual(job(), await one.claim(job().id, gone))
        self.assertIsNone(await other.claim(job().id, gone))
        self.assertIsNone(await other.claim("nobody", gone))
        self.assertEqual([Remembered(job(), first)], await other.load())

    async def test_what_others_write(self) -> None:
        """Each process can follow the jobs of the others, without its own and without reading all again."""
        mine, theirs = await self.open_store(ME), await self.open_store(Owner(2, 2))
        await mine.write(Batch([job("mine")]))
        await theirs.write(Batch([job("a"), job("b")]))
        revision, found = await mine.others(0)
        self.assertEqual(["a", "b"], [one.job.id for one in found])
        self.assertEqual((revision, []), await mine.others(revision))
        await theirs.write(Batch([replace(job("b"), percent=99)]))
        later, found = await mine.others(revision)
        self.assertEqual([Remembered(replace(job("b"), percent=99), Owner(2, 2))], found)
        self.assertEqual((later, []), await mine.others(later))

    async def test_forget(self) -> None:
        """A forgotten job leaves nothing; the others stay."""
        store = await self.open_store(ME)
        for id in ("a", "b"):
            await store.write(Batch([job(id)], {id: "{}"}, [LogLine(id, 1, 1.0, "x")], [JobEvent(1, 1.0, job(id))]))
        await store.forget(["a", "nobody"])
        self.assertEqual(["b"], [one.job.id for one in await store.load()])
        self.assertEqual(("", []), (await store.request("a"), await store.log("a", after=0, limit=9)))
        self.assertEqual(["b"], [event.job.id for event in await store.events(after=0, id=None, limit=9)])
