"""Scope: children end together."""

from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.concurrency.task import Task
from tests.lib.concurrency.steps import Work


def scoped(*works: Work, body: Callable[[Scope], Coroutine[Any, Any, None]] | None = None) -> Deferred[None]:
    """A coroutine with one scope that runs `works`, and `body` in its block."""

    async def block() -> None:
        async with Scope() as scope:
            for work in works:
                scope.start(work.run())
            if body is not None:
                await body(scope)

    return Deferred.fromCoroutine(block())


class ScopeTests(SynchronousTestCase):
    """All or none."""

    def test_leaves_when_all_have_ended(self) -> None:
        """The block waits for its children."""
        one, two = Work(), Work()
        outer = scoped(one, two)
        one.go.callback(None)
        self.assertNoResult(outer)
        two.go.callback(None)
        self.successResultOf(outer)

    def test_first_failure_cancels_the_rest_once(self) -> None:
        """The failure is raised only after the others' clean-up."""
        bad, good = Work(), Work()
        outer = scoped(bad, good)
        bad.go.errback(ValueError("first"))
        self.assertNoResult(outer)
        self.assertEqual(good.cancels, 1)
        good.cleaned.callback(None)
        self.failureResultOf(outer, ValueError)

    def test_outer_cancel_cancels_all_once(self) -> None:
        """Also when the outer is cancelled twice, every clean-up completes."""
        works = [Work(), Work()]
        outer = scoped(*works)
        outer.cancel()
        outer.cancel()
        self.assertEqual([work.cancels for work in works], [1, 1])
        works[0].cleaned.callback(None)
        self.assertNoResult(outer)
        works[1].cleaned.callback(None)
        self.failureResultOf(outer, CancelledError)
        self.assertTrue(all(work.over for work in works))

    def test_outer_cancel_after_a_failure_does_not_cancel_again(self) -> None:
        """A clean-up that runs because a sibling failed survives the user's cancel."""
        bad, good = Work(), Work()
        outer = scoped(bad, good)
        bad.go.errback(ValueError("first"))
        outer.cancel()
        self.assertEqual(good.cancels, 1)
        good.cleaned.callback(None)
        self.failureResultOf(outer, CancelledError)

    def test_failing_block_cancels_the_children(self) -> None:
        """The block is one of them."""
        work = Work()

        async def body(scope: Scope) -> None:
            raise KeyError("block")

        outer = scoped(work, body=body)
        self.assertEqual(work.cancels, 1)
        work.cleaned.callback(None)
        self.failureResultOf(outer, KeyError)

    def test_failing_child_interrupts_a_block_that_awaits_another(self) -> None:
        """And the reason is the child's, not the interruption."""
        bad, good = Work(), Work()

        async def body(scope: Scope) -> None:
            await scope.start(good.run())

        outer = scoped(bad, body=body)
        bad.go.errback(ValueError("first"))
        good.cleaned.callback(None)
        self.failureResultOf(outer, ValueError)

    def test_start_answers_the_childs_value(self) -> None:
        """What start() gives can be awaited."""
        work = Work()
        values: list[object] = []

        async def body(scope: Scope) -> None:
            values.append(await scope.start(work.run()))

        outer = scoped(body=body)
        work.go.callback("answer")
        self.successResultOf(outer)
        self.assertEqual(values, ["answer"])

    def test_child_of_an_ending_scope_is_cancelled(self) -> None:
        """A late start does not hold the scope open."""
        late = Work()
        started: list[Task[object]] = []

        async def body(scope: Scope) -> None:
            scope.start(failing())
            started.append(scope.start(late.run()))

        async def failing() -> None:
            raise ValueError("at once")

        outer = scoped(body=body)
        self.assertEqual(late.cancels, 1)
        late.cleaned.callback(None)
        self.failureResultOf(outer, ValueError)

    def test_failure_while_ending_is_told(self) -> None:
        """An error of a clean-up does not replace the first failure, and is in the log."""
        told: list[tuple[str, LogLevel]] = []

        def observer(event: dict[str, Any]) -> None:
            told.append((str(event.get("error")), event["log_level"]))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        bad, like, worse = Work(), Work(), Work()
        outer = scoped(bad, like, worse)
        bad.go.errback(ValueError("first"))
        like.cleaned.errback(ValueError("the same, elsewhere"))
        worse.cleaned.errback(OSError("clean-up failed"))
        self.failureResultOf(outer, ValueError)
        self.assertIn(("clean-up failed", LogLevel.warn), told)
        self.assertIn(("the same, elsewhere", LogLevel.info), told)

    @given(st.lists(st.sampled_from(["succeed", "fail", "cancel"]), min_size=1, max_size=6))
    def test_nothing_outlives_the_scope(self, moves: list[str]) -> None:
        """Whatever happens in whatever order: no child is cancelled twice, all are over when the scope is."""
        works = [Work() for _ in moves]
        outer = scoped(*works)
        for move, work in zip(moves, works, strict=True):
            if move == "cancel":
                outer.cancel()
            elif not work.go.called:
                _ = work.go.callback(None) if move == "succeed" else work.go.errback(ValueError(move))
        for work in works:
            if work.cancels:
                self.assertFalse(work.over)
                work.cleaned.callback(None)
        outer.addErrback(lambda failure: failure.trap(ValueError, CancelledError))
        self.successResultOf(outer)
        self.assertTrue(all(work.over and work.cancels <= 1 for work in works))
