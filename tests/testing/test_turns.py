"""Measuring the reactor's turns."""

import threading

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.testing.turns import MeteredPoller, TurnMeter


class FakePoller:
    """Answers at once."""

    closed = False

    def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
        return [(int(timeout), most)]


class TurnMeterTests(SynchronousTestCase):
    """What is reported, and what is not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.reports: list[str] = []
        self.meter = TurnMeter(self.reports.append, bound=1.0, now=self.clock.seconds)

    def test_a_long_turn(self) -> None:
        """Is reported once, with what the reactor's thread is doing."""
        self.meter.begin()
        self.clock.advance(1.0)
        self.meter.check()
        self.assertEqual(self.reports, [])
        self.clock.advance(0.1)
        self.meter.check()
        self.meter.check()
        (report,) = self.reports
        self.assertIn("more than 1 seconds", report)
        self.assertIn("test_a_long_turn", report)

    def test_short_turns_and_waiting(self) -> None:
        """Are not, however long the reactor waits for something to do."""
        for _ in range(3):
            self.meter.begin()
            self.clock.advance(0.9)
            self.meter.check()
            self.meter.end()
            self.clock.advance(100)
            self.meter.check()
        self.assertEqual(self.reports, [])

    def test_imports(self) -> None:
        """Take their time when a daemon starts."""
        code = compile("import sys; frame = sys._getframe()", "<frozen importlib._bootstrap>", "exec")
        names: dict[str, object] = {}
        exec(code, names)
        meter = TurnMeter(self.reports.append, now=self.clock.seconds, frame=lambda _: names["frame"])  # type: ignore[arg-type,return-value]
        meter.begin()
        self.clock.advance(10)
        meter.check()
        self.assertEqual(self.reports, [])

    def test_a_poller(self) -> None:
        """What is between two polls is a turn; all else of epoll is as it was."""
        poller = MeteredPoller(FakePoller(), self.meter)
        self.patch(threading, "Thread", lambda **_: FakeThread())
        self.assertEqual(poller.poll(3, 4), [(3, 4)])
        self.assertFalse(poller.closed)
        self.clock.advance(2)
        self.meter.check()
        self.assertEqual(len(self.reports), 1)
        poller.poll(3, 4)


class FakeThread:
    """Is not started."""

    def start(self) -> None:
        """See Thread."""
