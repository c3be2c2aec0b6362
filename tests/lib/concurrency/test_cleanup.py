"""What a clean-up does to the outcome of the work before it: nothing."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.concurrency.cleanup import cleaned_up
from imagefactory.lib.errors import BuildFailed, CommandFailed


class CleanupTests(SynchronousTestCase):
    """Work that succeeds, fails and is cancelled, with clean-ups that do."""

    def setUp(self) -> None:
        self.logged: list[LogEvent] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def run_both(self, work: Deferred[str], clean: Deferred[None]) -> Deferred[str]:
        async def run() -> str:
            async with cleaned_up(lambda: clean):
                return await work

        return Deferred.fromCoroutine(run())

    def warnings(self) -> list[str]:
        return [repr(event["error"]) for event in self.logged if "clean-up failed" in str(event.get("log_format"))]

    def test_the_first_error_is_raised(self) -> None:
        """The clean-up's is logged."""
        for error in (BuildFailed("no"), CancelledError()):
            work, clean = Deferred[str](), Deferred[None]()
            running = self.run_both(work, clean)
            work.errback(error)
            self.assertNoResult(running)
            clean.errback(CommandFailed("removing", "1"))
            self.assertIs(error, self.failureResultOf(running).value)
        self.assertEqual(2, len(self.warnings()))

    def test_a_result_stays_one(self) -> None:
        """It is not lost because something could not be removed."""
        work, clean = Deferred[str](), Deferred[None]()
        running = self.run_both(work, clean)
        work.callback("made")
        clean.errback(OSError("busy"))
        self.assertEqual("made", self.successResultOf(running))
        self.assertEqual(["OSError('busy')"], self.warnings())

    def test_cancelled_during_the_clean_up(self) -> None:
        """It goes on to its end; the cancellation is raised if there was no error before."""
        for error in (BuildFailed("no"), None):
            work, clean = Deferred[str](), Deferred[None]()
            running = self.run_both(work, clean)
            work.callback("made") if error is None else work.errback(error)
            running.cancel()
            self.assertNoResult(running)
            clean.callback(None)
            self.failureResultOf(running, CancelledError if error is None else BuildFailed)
        self.assertEqual([], self.warnings())
