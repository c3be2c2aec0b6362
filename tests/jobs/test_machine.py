"""The job service under any sequence of events."""

from unittest import TestCase

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from imagefactory.jobs.interface import PushRequest
from imagefactory.jobs.service import JobService
from imagefactory.lib.errors import BuildFailed
from imagefactory.model.jobs import Completed, Failed, State, is_final
from tests.jobs.service_case import MOCK, ServiceCase

#: Never collected: a collected coroutine runs its clean-up, which killed processes do not.
KILLED: list[JobService] = []


class JobsMachine(RuleBasedStateMachine):
    """Accept, finish, fail, cancel, retry, push, stop, kill: in any order, at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.world = ServiceCase("setUp")
        self.world.setUp()
        self.accepted: list[str] = []
        self.final: dict[str, State] = {}

    def pick(self, index: int, ids: list[str]) -> str:
        return ids[index % len(ids)]

    def at_work(self) -> list[str]:
        return [*self.world.builder.running, *self.world.pusher.running]

    def builds_at_work(self) -> set[str | None]:
        return {self.world.job(id).build_id for id in self.world.builder.running}

    def failed(self) -> list[str]:
        return [job.id for job in self.world.listed(status="FAILED") if job.operation == "build"]

    def built(self) -> list[str]:
        return [job.id for job in self.world.listed(status="COMPLETED") if job.operation == "build"]

    @rule(count=st.integers(1, 3))
    def accept(self, count: int) -> None:
        self.accepted += self.world.build(*("mock", "ec2", "condorcloud")[:count])

    @precondition(lambda self: self.at_work())
    @rule(index=st.integers(0, 99), well=st.booleans())
    def end(self, index: int, well: bool) -> None:
        id = self.pick(index, self.at_work())
        labour = self.world.builder.running.get(id) or self.world.pusher.running[id]
        if well:
            labour.finish()
        else:
            labour.fail(BuildFailed("no"))
        assert isinstance(self.world.job(id).state, Completed if well else Failed)

    @precondition(lambda self: len(self.final) < len(self.accepted))
    @rule(index=st.integers(0, 99))
    def cancel(self, index: int) -> None:
        id = self.pick(index, [id for id in self.accepted if id not in self.final])
        state = self.world.get(self.world.jobs.cancel(id)).state
        assert isinstance(state, Failed)
        assert state.failure.cancelled

    @precondition(lambda self: self.failed())
    @rule(index=st.integers(0, 99))
    def retry(self, index: int) -> None:
        id = self.pick(index, self.failed())
        self.world.get(self.world.jobs.retry(id))
        self.final.pop(id)

    @precondition(lambda self: self.built())
    @rule(index=st.integers(0, 99))
    def push(self, index: int) -> None:
        job = self.world.job(self.pick(index, self.built()))
        if job.target == "mock":
            request = PushRequest(MOCK, target_image_id=job.id)
            self.accepted.append(self.world.get(self.world.jobs.push(request)).id)

    @rule()
    def tick(self) -> None:
        self.world.clock.advance(1)

    @rule()
    def stop_and_start(self) -> None:
        self.world.get(self.world.jobs.stop())
        assert not self.at_work()
        self.world.restart()

    @rule()
    def kill(self) -> None:
        KILLED.append(self.world.jobs)
        self.world.restart()

    @invariant()
    def nothing_is_lost(self) -> None:
        assert [job.id for job in self.world.listed()] == self.accepted

    @invariant()
    def final_states_stay(self) -> None:
        states = {job.id: job.state for job in self.world.listed()}
        assert all(states[id] == state for id, state in self.final.items())
        self.final = {id: state for id, state in states.items() if is_final(state)}

    @invariant()
    def those_at_work_are_those_shown(self) -> None:
        shown = [job.id for job in self.world.listed() if job.state.wire in {"BUILDING", "PUSHING"}]
        assert sorted(shown) == sorted(self.at_work())
        assert len(self.builds_at_work()) <= 2

    @invariant()
    def no_job_waits_beside_a_free_place(self) -> None:
        waiting = [job.id for job in self.world.listed(status="NEW")]
        assert not waiting or len(self.builds_at_work()) == 2
        assert not {self.world.job(id).build_id for id in waiting} & self.builds_at_work()
        places = sorted(self.world.position(id) or 0 for id in waiting)
        assert places == list(range(1, len(waiting) + 1))

    @invariant()
    def pointers_name_builds_with_images(self) -> None:
        records = self.world.records
        with_images = {record.build for record in records.all_target_images.values()}
        for image in records.images.values():
            assert {image.latest_build, image.latest_unpushed} <= with_images | {None}

    def teardown(self) -> None:
        self.world.get(self.world.jobs.stop())
        assert not self.at_work()
        left = [call for call in self.world.clock.getDelayedCalls() if call.getTime() < self.world.clock.seconds() + 60]
        assert not left


class MachineTests(TestCase):
    """Nothing is lost, nothing is left over, final is final."""

    def test_any_sequence(self) -> None:
        """Hypothesis finds no sequence that breaks an invariant."""
        JobsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
        JobsMachine.TestCase().runTest()
