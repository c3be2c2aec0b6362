"""Any sequence of what nodes do with their jobs, on the two stores at once."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from unittest import TestCase

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import ensureDeferred

from imagefactory.jobs.store.interface import Batch, JobNode, JobStore, NewJobs
from imagefactory.jobs.store.sqlite import open_store
from imagefactory.lib.errors import Conflict
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Queued, Running, State
from imagefactory.testing.job_store import MemoryJobStore, job
from imagefactory.testing.threads import ImmediateThreads

T = TypeVar("T")
NODES = (JobNode("one"), JobNode("two"), JobNode("command", daemon=False))
STATES: tuple[State, ...] = (Running("BUILDING"), Completed(size=1), Failed(Failure("no")))
node_numbers = st.integers(0, len(NODES) - 1)
job_numbers = st.integers(0, 9)


class ClaimMachine(RuleBasedStateMachine):
    """Nodes create, take, lose, end and reopen jobs; both stores answer the same, and only the holder writes."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        path, memory = Path(self.directory.name) / "jobs.db", MemoryJobStore(now=lambda: 0.0)
        opened = [open_store(path, node, ImmediateThreads(), lambda: 0.0) for node in NODES]
        self.files = [self.result(store) for store in opened]
        self.memories = [memory.at(node) for node in NODES]
        self.holder: dict[str, tuple[int, int]] = {}
        self.bodies: dict[str, Job] = {}

    def result(self, work: Awaitable[T]) -> T:
        results: list[T] = []
        ensureDeferred(work).addCallback(results.append)  # type: ignore[arg-type]
        return results[0]

    def both(self, node: int, work: Callable[[JobStore], Awaitable[T]]) -> T:
        """Do the same on both stores; returns their common answer."""
        file, memory = self.result(work(self.files[node])), self.result(work(self.memories[node]))
        assert file == memory
        return file

    def some(self, number: int) -> str:
        return list(self.bodies)[number % len(self.bodies)]

    def grant(self, node: int, id: str, attempt: int) -> None:
        """An attempt is granted once, and is above those before it."""
        assert attempt > self.holder.get(id, (0, 0))[1]
        self.holder[id] = node, attempt

    @rule(node=node_numbers, count=st.integers(1, 3), build=st.integers(0, 2))
    def create(self, node: int, count: int, build: int) -> None:
        first = len(self.bodies)
        jobs = [replace(job(f"{first + n}", build=str(build)), state=Queued()) for n in range(count)]
        self.both(node, lambda store: store.create(NewJobs(jobs)))
        for one in jobs:
            self.bodies[one.id] = one
            self.grant(node, one.id, 1)

    @precondition(lambda self: self.bodies)
    @rule(node=node_numbers, number=job_numbers, attempt=st.integers(1, 4), state=st.sampled_from(STATES))
    def write(self, node: int, number: int, attempt: int, state: State) -> None:
        id = self.some(number)
        changed = replace(self.bodies[id], state=state)
        refused = self.both(node, lambda store: store.write(Batch([changed]), {id: attempt}))
        assert refused == (frozenset() if self.holder[id] == (node, attempt) else {id})
        if not refused:
            self.bodies[id] = changed

    @precondition(lambda self: self.bodies)
    @rule(node=node_numbers, number=job_numbers, attempt=st.integers(1, 4), completed=st.booleans())
    def settle(self, node: int, number: int, attempt: int, completed: bool) -> None:
        id = self.some(number)
        state = self.both(node, lambda store: store.settle(id, attempt, completed=completed))
        assert (state is None) == (self.holder[id] != (node, attempt))

    @rule(node=node_numbers, dead=node_numbers)
    def release(self, node: int, dead: int) -> None:
        if node == dead:
            return
        for left in self.both(node, lambda store: store.release(NODES[dead])):
            assert left.job == self.bodies[left.job.id]
            self.grant(node, left.job.id, left.attempt)
        for id, one in self.bodies.items():
            if self.holder[id][0] == dead and isinstance(one.state, Queued | Running):
                self.holder[id] = -1, self.holder[id][1]

    @rule(node=node_numbers, places=st.sampled_from((0, 1, 2, None)))
    def take(self, node: int, places: int | None) -> None:
        for taken in self.both(node, lambda store: store.take((), places)):
            assert self.holder[taken.job.id][0] == -1
            assert isinstance(taken.job.state, Queued)
            self.grant(node, taken.job.id, taken.attempt)

    @precondition(lambda self: self.bodies)
    @rule(node=node_numbers, number=job_numbers)
    def reopen(self, node: int, number: int) -> None:
        fresh = replace(self.bodies[self.some(number)], state=Queued())

        async def reopened(store: JobStore) -> int:
            try:
                return await store.reopen(fresh)
            except Conflict:
                return 0

        attempt = self.both(node, reopened)
        assert bool(attempt) == isinstance(self.bodies[fresh.id].state, Completed | Failed)
        if attempt:
            self.bodies[fresh.id] = fresh
            self.grant(node, fresh.id, attempt)

    @precondition(lambda self: self.bodies)
    @rule(node=node_numbers, number=job_numbers)
    def cancel(self, node: int, number: int) -> None:
        id = self.some(number)
        asked = self.both(node, lambda store: store.request_cancel(id))
        assert asked == isinstance(self.bodies[id].state, Queued | Running)

    @invariant()
    def nothing_is_lost(self) -> None:
        for store in (self.files[0], self.memories[0]):
            assert self.result(store.load())[1] == list(self.bodies.values())

    @invariant()
    def each_node_knows_what_it_holds(self) -> None:
        attempts = {id: attempt for id, (_, attempt) in self.holder.items()}
        for node in range(len(NODES)):
            lost = self.both(node, lambda store: store.beat(attempts)).lost
            assert lost == {id for id, (holder, _) in self.holder.items() if holder != node}

    def teardown(self) -> None:
        for store in self.files:
            self.result(store.close())
        self.directory.cleanup()


class ClaimTests(TestCase):
    """One holder at a time."""

    def test_any_sequence(self) -> None:
        """Hypothesis finds no sequence after which two nodes may write a job, or none has it that should."""
        ClaimMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
        ClaimMachine.TestCase().runTest()
