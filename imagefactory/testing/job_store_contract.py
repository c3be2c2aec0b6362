"""The contract that every job store keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from unittest import TestCase

from imagefactory.jobs.interface import JobEvent, LogLine
from imagefactory.jobs.store.interface import (
    LEASE,
    Batch,
    Beat,
    GroupState,
    Holder,
    JobNode,
    JobStore,
    LogExtent,
    NewJobs,
    TakenJob,
)
from imagefactory.lib.errors import Conflict
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation, Queued, Running, State
from imagefactory.model.report import StageOutcome
from imagefactory.testing.job_store import ME, job

if TYPE_CHECKING:
    _Suite = TestCase
else:
    _Suite = object  # the test case it is mixed into has the assertions; alone it is no test

OTHER = JobNode("other")
COMMAND = JobNode("command", daemon=False)
NOTHING = Beat(frozenset(), frozenset())


def queued(id: str, build: str = "build") -> Job:
    """Returns a build job that waits."""
    return replace(job(id, build=build), state=Queued())


class JobStoreContract(_Suite):
    """What every `JobStore` does; mixed into a test case that has `open_store`."""

    #: Unix time, as the stores see it.
    time = 1000.0

    async def open_store(self, node: JobNode) -> JobStore:
        """Returns the one store of this test, as `node` opens it."""
        raise NotImplementedError

    async def jobs(self, store: JobStore) -> list[Job]:
        """Returns all jobs of the store."""
        return (await store.load())[1]

    async def test_jobs_come_back(self) -> None:
        """Jobs are there again, in order of creation, in every state."""
        store = await self.open_store(ME)
        failure = Failure("no", "hint", "abc", cancelled=True)
        states: tuple[State, ...] = (Queued(), Running("BUILDING"), Completed("ami-1", 3), Failed(failure))
        stage = StageOutcome("base", "aa", hit=False, changed=("packages",), seconds=1.5)
        jobs = [replace(job(f"id-{n}"), state=state, stages=(stage,)) for n, state in enumerate(states)]
        await store.create(NewJobs(jobs))
        self.assertEqual(frozenset(), await store.write(Batch(jobs[:1]), {"id-0": 1}))
        again = await self.open_store(ME)
        self.assertEqual(jobs, await self.jobs(again))

    async def test_a_job_keeps_its_request(self) -> None:
        """What a retry needs stays when the job changes later; an unknown job has none."""
        store = await self.open_store(ME)
        await store.create(NewJobs([job()], {job().id: "{}"}))
        await store.write(Batch([replace(job(), percent=50)]), {job().id: 1})
        self.assertEqual("{}", await store.request(job().id))
        self.assertEqual("", await store.request("unknown"))

    async def test_log(self) -> None:
        """Lines come back by job and number; written twice they are there once."""
        store, held = await self.open_store(ME), {"a": 1, "b": 1}
        await store.create(NewJobs([job("a"), job("b")]))
        lines = [LogLine("a", number, 1.0, f"line {number} \N{SNOWMAN}") for number in (1, 2, 3)]
        await store.write(Batch(lines=lines), held)
        await store.write(Batch(lines=[*lines[2:], LogLine("b", 1, 1.0, "other")]), held)
        self.assertEqual(lines[1:2], await store.log("a", after=1, limit=1))
        size = sum(len(line.text.encode()) for line in lines)
        self.assertEqual((LogExtent(3, size), LogExtent()), (await store.extent("a"), await store.extent("c")))

    async def test_events(self) -> None:
        """Events come back in order, of all jobs or of one."""
        store = await self.open_store(ME)
        self.assertEqual(0, await store.last_event())
        await store.create(NewJobs([job("a"), job("b")]))
        events = [JobEvent(n, 1.0, job("a" if n % 2 else "b"), "stage") for n in (1, 2, 3)]
        await store.write(Batch(events=events), {"a": 1, "b": 1})
        self.assertEqual(events[1:], await store.events(after=1, id=None, limit=10))
        self.assertEqual([events[0]], await store.events(after=0, id="a", limit=1))
        self.assertEqual(3, await store.last_event())

    async def test_ids_of_events_are_given_once(self) -> None:
        """Blocks of all nodes are apart, above what was ever written, and not given again after a restart."""
        one, other = await self.open_store(ME), await self.open_store(OTHER)
        await one.create(NewJobs([job("a")]))
        await one.write(Batch(events=[JobEvent(7, 1.0, job("a"))]), {"a": 1})
        self.assertEqual(7, await one.reserve_events(10))
        self.assertEqual(17, await other.reserve_events(5))
        self.assertEqual(22, await (await self.open_store(ME)).reserve_events(1))
        await other.forget(["a"])
        self.assertEqual(23, await one.reserve_events(1))

    async def test_a_stale_attempt_is_refused(self) -> None:
        """Neither state nor line nor event of it is written; what else is in the batch is."""
        stale, current = await self.open_store(ME), await self.open_store(OTHER)
        await stale.create(NewJobs([job("a"), job("b")]))
        self.assertEqual(2, len(await current.release(ME)))
        await stale.create(NewJobs([job("mine")]))
        done = [replace(job(id), state=Completed(size=1)) for id in ("a", "mine")]
        lines = [LogLine(one.id, 1, 1.0, "late") for one in done]
        events = [JobEvent(number, 1.0, one) for number, one in enumerate(done, 1)]
        held = {"a": 1, "b": 1, "mine": 1}
        self.assertEqual(frozenset({"a"}), await stale.write(Batch(done, lines, events), held))
        self.assertEqual([job("a"), job("b"), done[1]], await self.jobs(current))
        self.assertEqual(
            ([], lines[1:]), (await current.log("a", after=0, limit=9), await stale.log("mine", after=0, limit=9))
        )
        self.assertEqual(["mine"], [event.job.id for event in await current.events(after=0, id=None, limit=9)])
        self.assertEqual(frozenset({"a", "unknown"}), await current.write(Batch([job("a"), job("unknown")]), {"a": 1}))
        self.assertEqual(frozenset(), await current.write(Batch([job("a")]), {"a": 2}))

    async def test_what_an_ended_daemon_left(self) -> None:
        """Its queued builds become free, everything else must be ended by the one who looked; final jobs stay."""
        gone, mine, other = [await self.open_store(node) for node in (JobNode("gone"), ME, OTHER)]
        push = replace(queued("push"), operation=Operation.PUSH)
        final = replace(job("final"), state=Completed())
        await gone.create(NewJobs([queued("waiting"), queued("unwanted"), job("running"), push, final]))
        self.assertTrue(await mine.request_cancel("unwanted"))
        left = await mine.release(JobNode("gone"))
        self.assertEqual([TakenJob(one, 2) for one in (queued("unwanted"), job("running"), push)], left)
        self.assertEqual(([], []), (await other.release(JobNode("gone")), await other.holders() and []))
        self.assertEqual([TakenJob(queued("waiting"), 2)], await other.take((), None))
        self.assertEqual([], await mine.take((), None))

    async def test_what_an_ended_command_left(self) -> None:
        """Everything that has not ended must be ended; only one gets it."""
        gone, first, second = [await self.open_store(node) for node in (COMMAND, ME, OTHER)]
        await gone.create(NewJobs([queued("a")]))
        self.assertEqual([TakenJob(queued("a"), 2)], await first.release(COMMAND))
        self.assertEqual([], await second.release(COMMAND))

    async def test_the_last_state_of_an_ended_node(self) -> None:
        """What it completed is not taken from it."""
        gone, mine = await self.open_store(OTHER), await self.open_store(ME)
        await gone.create(NewJobs([job()]))
        await gone.write(Batch([replace(job(), state=Completed())]), {job().id: 1})
        self.assertEqual(([], []), (await mine.holders(), await mine.release(OTHER)))

    async def test_take_by_build(self) -> None:
        """The oldest builds first, each as a whole, and of them what this node is capable of."""
        gone, mine, other = [await self.open_store(node) for node in (JobNode("gone"), ME, OTHER)]
        await gone.create(NewJobs([queued("a1", "a"), queued("a2", "a")]))
        await gone.create(NewJobs([queued("b1", "b")], needs=frozenset({"aarch64"})))
        await gone.create(NewJobs([queued("c1", "c")]))
        await gone.create(NewJobs([queued("a3", "a")]))
        await mine.release(JobNode("gone"))
        self.assertEqual([], await mine.take((), 0))
        self.assertEqual(["a1", "a2", "a3"], [one.job.id for one in await mine.take(("x86_64",), 1)])
        self.assertEqual(["c1"], [one.job.id for one in await mine.take(("x86_64",), 5)])
        self.assertEqual(["b1"], [one.job.id for one in await other.take(("x86_64", "aarch64"), None)])

    async def test_beat(self) -> None:
        """It renews leases, and says which jobs are lost and which shall end."""
        mine, other = await self.open_store(ME), await self.open_store(OTHER)
        await mine.create(NewJobs([job("a"), job("b")]))
        held = {"a": 1, "b": 1}
        self.assertEqual([Holder(ME, self.time + LEASE)], await other.holders())
        self.time += 10
        self.assertEqual(NOTHING, await mine.beat(held))
        self.assertEqual([Holder(ME, self.time + LEASE)], await other.holders())
        self.assertTrue(await other.request_cancel("b"))
        lost = frozenset({"a", "unknown"})
        self.assertEqual(Beat(lost, frozenset({"b"})), await mine.beat({"a": 7, "b": 1, "unknown": 1}))
        await other.release(ME)
        self.assertEqual(Beat(frozenset(held), frozenset()), await mine.beat(held))
        self.assertEqual([], await other.holders())

    async def test_a_cancelled_job_that_has_ended(self) -> None:
        """Nothing is left to be cancelled, neither now nor when it is retried."""
        mine, other = await self.open_store(ME), await self.open_store(OTHER)
        await mine.create(NewJobs([job("a")]))
        await other.request_cancel("a")
        await mine.write(Batch([replace(job("a"), state=Failed(Failure("cancelled")))]), {"a": 1})
        self.assertEqual(NOTHING, await mine.beat({"a": 1}))
        self.assertEqual((False, False), (await other.request_cancel("a"), await other.request_cancel("unknown")))
        self.assertEqual(2, await other.reopen(queued("a")))
        self.assertEqual(NOTHING, await other.beat({"a": 2}))

    async def test_reopen(self) -> None:
        """An ended job begins anew under another attempt; of two who want that one gets it."""
        mine, other = await self.open_store(ME), await self.open_store(OTHER)
        await mine.create(NewJobs([replace(job("a"), state=Failed(Failure("no")))], {"a": "{}"}))
        self.assertEqual(2, await other.reopen(queued("a")))
        for id in ("a", "unknown"):
            with self.assertRaises(Conflict):
                await mine.reopen(queued(id))
        self.assertEqual(([queued("a")], "{}"), (await self.jobs(mine), await mine.request("a")))
        self.assertEqual(frozenset({"a"}), await mine.write(Batch([job("a")]), {"a": 1}))
        self.assertEqual([Holder(OTHER, self.time + LEASE)], await mine.holders())

    async def test_one_of_a_request_is_the_last(self) -> None:
        """Whichever node has it; a retry of one of them ends the request once more."""
        mine, other = await self.open_store(ME), await self.open_store(OTHER)
        await mine.create(NewJobs([job(id) for id in ("a", "b", "c")]))
        await mine.create(NewJobs([job("d")]))
        self.assertEqual(GroupState(ended=False, completed=True), await mine.settle("a", 1, completed=True))
        await other.release(ME)
        self.assertIsNone(await mine.settle("b", 1, completed=True))
        self.assertEqual(GroupState(ended=False, completed=True), await other.settle("b", 2, completed=False))
        self.assertEqual(GroupState(ended=True, completed=True), await other.settle("c", 2, completed=False))
        self.assertEqual(GroupState(ended=False, completed=True), await other.settle("c", 2, completed=False))
        failed = replace(job("b"), state=Failed(Failure("no")))
        await other.write(Batch([failed]), {"b": 2})
        attempt = await mine.reopen(queued("b"))
        self.assertEqual(GroupState(ended=True, completed=True), await mine.settle("b", attempt, completed=True))
        self.assertEqual(GroupState(ended=True, completed=False), await other.settle("d", 2, completed=False))

    async def test_what_others_write(self) -> None:
        """Each node can follow the jobs of the others, without its own and without reading all again."""
        mine, theirs = await self.open_store(ME), await self.open_store(OTHER)
        cursor, _ = await mine.load()
        await mine.create(NewJobs([job("mine")]))
        await theirs.create(NewJobs([job("a"), job("b")]))
        cursor, found = await mine.changes(cursor)
        self.assertEqual([job("a"), job("b")], found)
        self.assertEqual((cursor, []), await mine.changes(cursor))
        changed = replace(job("b"), percent=99)
        await theirs.write(Batch([changed]), {"b": 1})
        later, found = await mine.changes(cursor)
        self.assertEqual([changed], found)
        self.assertEqual((later, []), await mine.changes(later))
        await mine.forget(["b"])
        await theirs.create(NewJobs([job("c")]))
        self.assertEqual([job("c")], (await mine.changes(later))[1])

    async def test_forget(self) -> None:
        """A forgotten job leaves nothing; the others stay."""
        store = await self.open_store(ME)
        for id in ("a", "b"):
            await store.create(NewJobs([job(id)], {id: "{}"}))
            await store.write(Batch(lines=[LogLine(id, 1, 1.0, "x")], events=[JobEvent(1, 1.0, job(id))]), {id: 1})
        await store.forget(["a", "unknown"])
        self.assertEqual([job("b")], await self.jobs(store))
        self.assertEqual(("", []), (await store.request("a"), await store.log("a", after=0, limit=9)))
        self.assertEqual(["b"], [event.job.id for event in await store.events(after=0, id=None, limit=9)])
