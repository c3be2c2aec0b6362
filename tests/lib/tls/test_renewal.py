"""Renewing a certificate ahead of its end."""

from datetime import UTC, datetime, timedelta

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.tls.identity import Chosen, chosen, fingerprint, make
from imagefactory.lib.tls.renewal import CHECK_SECONDS, RenewedContext
from imagefactory.testing.threads import ImmediateThreads

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class RenewalTests(SynchronousTestCase):
    """A daemon that runs for longer than its certificate is good."""

    def setUp(self) -> None:
        self.now = NOW
        self.clock = Clock()
        self.reads: list[datetime] = []
        self.failure: Exception | None = None
        observer = capturedLogs()
        self.events = observer.__enter__()
        self.addCleanup(observer.__exit__, None, None, None)

    def choose(self, now: datetime) -> Chosen:
        self.reads.append(now)
        if self.failure is not None:
            raise self.failure
        return chosen(make(["a.example"], now))

    def context(self) -> RenewedContext:
        context = RenewedContext(self.choose, lambda: self.now)
        context.start(ImmediateThreads(), self.clock)
        return context

    def later(self, days: int) -> None:
        """Time goes by, and it is checked."""
        self.now += timedelta(days=days)
        self.clock.advance(CHECK_SECONDS)

    def logged(self) -> str:
        return "\n".join(str(formatEvent(event)) for event in self.events)

    def test_a_made_one(self) -> None:
        """Is made anew a month before its end, for new connections, and the log says so."""
        context = self.context()
        first = context.getContext()
        self.later(days=360)
        self.assertIs(context.getContext(), first)
        self.later(days=10)
        second = context.getContext()
        self.assertIsNot(second, first)
        self.assertIs(context.getContext(), second)
        self.assertIn(context.chosen.fingerprint, self.logged())

    def test_a_new_connection_reads_no_file(self) -> None:
        """Not even long after the certificate should have been renewed: that is the business of the check."""
        context = self.context()
        self.now += timedelta(days=400)
        context.getContext()
        self.assertEqual(self.reads, [NOW])

    def test_a_given_one(self) -> None:
        """Is read anew once a day; until the administrator has renewed it the old one is used, with a warning."""
        given = [make(["a.example"], NOW - timedelta(days=380))]
        context = RenewedContext(lambda now: chosen(given[0]), lambda: self.now)
        context.start(ImmediateThreads(), self.clock)
        self.assertIn("expires on 2026-12-1", self.logged())
        first = context.chosen.fingerprint
        self.later(days=0)
        given[0] = make(["a.example"], NOW)
        self.later(days=0)
        self.assertEqual(context.chosen.fingerprint, first)
        self.later(days=1)
        self.assertEqual(context.chosen.fingerprint, fingerprint(given[0]))

    def test_one_that_cannot_be_renewed(self) -> None:
        """Stays, and the log says why, whether the file is damaged or the disk is; a day later it is tried again."""
        context = self.context()
        first = context.getContext()
        for failure in (InvalidInput("there is no private key in the file"), OSError(5, "Input/output error")):
            self.failure = failure
            self.later(days=380)
            self.assertIs(context.getContext(), first)
            self.assertIn(str(failure), self.logged())
        self.failure = None
        self.later(days=1)
        self.assertIsNot(context.getContext(), first)

    def test_stopped(self) -> None:
        """Nothing is left on the clock; one that never started can be stopped, too."""
        context = self.context()
        self.successResultOf(Deferred.fromCoroutine(context.stop()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        unstarted = RenewedContext(self.choose, lambda: self.now)
        self.successResultOf(Deferred.fromCoroutine(unstarted.stop()))
