"""The resources of a push, through failures, cancellations and kills at any step."""

from __future__ import annotations

from unittest import TestCase

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, Conflict, NoSpace
from imagefactory.model.jobs import Completed
from imagefactory.push.resources import SWEEP_SECONDS
from tests.push.world import PROVIDER, World


class FailingTests(SynchronousTestCase):
    """One push that fails, in a process that lives."""

    def setUp(self) -> None:
        self.world = World()
        self.process = self.world.start()

    def left(self) -> list[tuple[str, str]]:
        """What is a leftover, with its note."""
        found = self.successResultOf(self.process.begin(self.process.leftovers.find()))
        return [(each.token, each.note) for each in found]

    def test_all_is_deleted(self) -> None:
        """When the push fails, and when its record cannot be stored."""
        for failing in ("make", "reply", "finish"):
            self.process.cloud.failing = {failing: BuildFailed(f"no {failing}")}
            error = self.failureResultOf(self.process.push(), BuildFailed)
            self.assertEqual(f"no {failing}", error.getErrorMessage())
            self.assertEqual(({}, {}), (self.world.objects, self.world.file.rows))
        self.process.cloud.failing = {}
        self.process.records.failure = NoSpace("full")
        self.failureResultOf(self.process.push(), NoSpace)
        self.assertEqual(({}, {}, {}), (self.world.objects, self.world.file.rows, self.world.stored))

    def test_a_deletion_that_fails(self) -> None:
        """The first error is the one that is raised; what is still there is listed with the reason of the second."""
        self.process.cloud.failing = {"finish": BuildFailed("no image"), "sweep": BuildFailed("cannot delete")}
        error = self.failureResultOf(self.process.push(), BuildFailed)
        self.assertEqual("no image", error.getErrorMessage())
        self.assertEqual({"p/key", "p/disk", "p/image"}, set(self.world.objects))
        self.assertEqual(["cannot delete"] * 3, [note for _, note in self.left()])

    def test_the_text_of_an_unexpected_error_is_not_kept(self) -> None:
        """It may hold a secret: the ledger has the name of its class."""
        self.process.cloud.failing = {"finish": BuildFailed("no image"), "sweep": ValueError("s3cret")}
        self.failureResultOf(self.process.push(), BuildFailed)
        self.assertEqual({"ValueError"}, {note for _, note in self.left()})

    def test_a_deletion_that_hangs(self) -> None:
        """It is given up after a while, and the first error raised; what is there is listed."""
        self.process.cloud.failing = {"finish": BuildFailed("no image")}
        self.process.cloud.hanging = {"sweep"}
        push = self.process.push()
        self.assertEqual([], self.left())  # the key: its deletion runs
        self.process.clock.advance(SWEEP_SECONDS)
        self.assertNoResult(push)
        self.process.clock.advance(SWEEP_SECONDS)
        self.assertEqual("no image", self.failureResultOf(push, BuildFailed).getErrorMessage())
        self.assertEqual({"its deletion did not end in time"}, {note for _, note in self.left()})
        self.assertEqual(3, len(self.left()))

    def test_a_cancellation_does_not_interrupt_the_deletion(self) -> None:
        """The first error is the one that is raised."""
        self.world.gated = True
        self.process.cloud.failing = {"finish": BuildFailed("no image")}
        push = self.process.push()
        self.process.step_to("finish")
        self.process.step()
        push.cancel()
        while self.process.waiting:
            self.process.step()
        self.failureResultOf(push, BuildFailed)
        self.assertEqual(({}, {}), (self.world.objects, self.world.file.rows))

    def test_a_cancellation_after_the_push(self) -> None:
        """It comes too late while the record is stored: the image stays, and belongs to it."""
        self.world.gated = True
        push = self.process.push()
        self.process.step_to("store")
        push.cancel()
        while self.process.waiting:
            self.process.step()
        self.assertEqual("id of p/image", self.successResultOf(push).identifier)
        self.assertEqual({"p/disk", "p/image"}, set(self.world.objects))
        self.assertEqual({}, self.world.file.rows)

    def test_nothing_is_made_that_cannot_be_written_down(self) -> None:
        """The push fails with the reason of the ledger."""
        self.process.ledger.failure = NoSpace("full")
        self.failureResultOf(self.process.push(), NoSpace)
        self.assertEqual({}, self.world.objects)

    def test_a_ledger_that_fails_after_the_record(self) -> None:
        """The push has succeeded; the entries stay, and are never swept."""
        self.world.gated = True
        push = self.process.push()
        self.process.step_to("store")
        self.process.ledger.failure = NoSpace("full")
        while self.process.waiting:
            self.process.step()
        self.assertIsInstance(self.successResultOf(push), Completed)
        self.world.gated = False
        after = self.process.kill()
        self.assertEqual([], self.successResultOf(after.begin(after.leftovers.reap(PROVIDER, None))))
        self.assertEqual({"p/disk", "p/image"}, set(self.world.objects))


def expected(failure: Failure) -> None:
    """Failures are part of the play."""
    failure.trap(CancelledError, BuildFailed, NoSpace, Conflict)


class LedgerMachine(RuleBasedStateMachine):
    """Push, step, cancel, fail, kill, push again, reap: in any order, at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(gated=True)
        self.process = self.world.start()
        self.pushes: dict[str, Deferred[Completed]] = {}
        self.known: list[str] = []

    def running(self) -> list[str]:
        """Pushes that have not ended: a cancelled one may take its time."""
        return list(self.pushes)

    def begin(self, id: str) -> None:
        """Run a push; no other runs under this id until it has ended, as the job service sees to it."""
        process, push = self.process, self.process.push(id)
        self.pushes[id] = push
        push.addErrback(expected)
        push.addCallback(lambda _: self.pushes.pop(id) if self.process is process else None)

    @rule()
    def push(self) -> None:
        self.known.append(f"p{len(self.known)}")
        self.begin(self.known[-1])

    @precondition(lambda self: self.known)
    @rule(index=st.integers(0, 9))
    def push_again(self, index: int) -> None:
        id = self.known[index % len(self.known)]
        if id not in self.running():
            self.begin(id)

    @rule()
    def reap(self) -> None:
        self.process.begin(self.process.leftovers.reap(PROVIDER, None)).addErrback(expected)

    @precondition(lambda self: self.process.waiting)
    @rule(index=st.integers(0, 9), count=st.integers(1, 12))
    def step(self, index: int, count: int) -> None:
        for _ in range(count):
            if self.process.waiting:
                self.process.step(index)

    @precondition(lambda self: self.running())
    @rule(index=st.integers(0, 9))
    def cancel(self, index: int) -> None:
        self.pushes[self.running()[index % len(self.running())]].cancel()

    @rule(name=st.sampled_from(["make", "reply", "finish", "sweep"]), fails=st.booleans())
    def cloud(self, name: str, fails: bool) -> None:
        self.process.cloud.failing = {name: BuildFailed("no")} if fails else {}

    @rule(fails=st.booleans())
    def warehouse(self, fails: bool) -> None:
        self.process.records.failure = NoSpace("full") if fails else None

    @rule()
    def time_passes(self) -> None:
        self.process.clock.advance(SWEEP_SECONDS)

    @rule()
    def kill(self) -> None:
        self.process = self.process.kill()
        self.pushes.clear()

    @invariant()
    def what_is_there_is_known(self) -> None:
        for token in self.world.objects:
            push, _, _ = token.partition("/")
            assert token in self.world.file.rows or push in self.world.stored, token

    @invariant()
    def what_was_handed_over_is_there(self) -> None:
        for push in self.world.stored:
            assert {f"{push}/disk", f"{push}/image"} <= set(self.world.objects)

    def teardown(self) -> None:
        """With all that ends well, nothing is left."""
        self.world.gated = False
        self.process.cloud.failing, self.process.records.failure = {}, None
        while self.process.waiting:
            self.process.step()
        after = self.process.kill()
        done = after.begin(after.leftovers.reap(PROVIDER, None))
        assert done.called
        stored = {f"{push}/{kind}" for push in self.world.stored for kind in ("disk", "image")}
        assert set(self.world.objects) == stored, (self.world.objects, stored)
        assert not self.world.file.rows


class LedgerMachineTests(TestCase):
    """What exists is known, what was handed over stays."""

    def test_any_sequence(self) -> None:
        """Hypothesis finds no sequence that breaks an invariant."""
        LedgerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
        LedgerMachine.TestCase().runTest()
