"""Long work in threads that can be cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.errors import Stopped
from imagefactory.lib.files.holes import Watch
from imagefactory.systems.disk.stoppable import stoppable
from imagefactory.testing.threads import ImmediateThreads


class SlowThreads:
    """Threads whose calls happen when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    async def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        answer: Deferred[Any] = Deferred()

        def call() -> None:
            try:
                answer.callback(function(*args, **kwargs))
            except Exception:
                answer.errback()

        self.calls.append(call)
        return await shield(answer)


class StoppableTests(SynchronousTestCase):
    """Cancelling asks the thread and waits for it."""

    def test_the_answer_comes_back(self) -> None:
        """As long as it is not cancelled."""
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(stoppable(ImmediateThreads(), lambda _: 7))), 7)

    def test_cancelling_stops_the_work_and_waits_for_its_end(self) -> None:
        """The cancellation comes out, not the error that ended the work."""
        threads = SlowThreads()
        ended: list[str] = []

        def work(watch: Watch) -> None:
            try:
                watch(1, 2)
            except Stopped:
                ended.append("stopped")
                raise

        running = Deferred.fromCoroutine(stoppable(threads, work))
        running.cancel()
        self.assertNoResult(running)
        threads.calls[0]()
        self.assertEqual(ended, ["stopped"])
        self.failureResultOf(running, CancelledError)
