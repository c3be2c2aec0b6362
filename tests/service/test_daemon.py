"""The daemon's life around its body."""

import os
import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import FactoryError
from imagefactory.service.daemon import Daemon, Listener
from imagefactory.service.instance import Instance
from imagefactory.service.listening import bind
from imagefactory.service.notify import Notifier
from imagefactory.service.pidfile import PidFile


class Body:
    """A body whose start and stop end when the test says so."""

    def __init__(self) -> None:
        self.starting: Deferred[None] = Deferred()
        self.stopping: Deferred[None] = Deferred()
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")
        await self.starting

    async def stop(self) -> None:
        self.calls.append("stop")
        await self.stopping


class Reactor(MemoryReactorClock):
    """Remembers what was adopted."""

    def __init__(self) -> None:
        super().__init__()
        self.adopted: list[Any] = []
        self.stopped = 0

    def adoptStreamPort(self, fileno: int, family: Any, factory: Any) -> Any:
        self.adopted.append(factory)
        return super().adoptStreamPort(fileno, family, factory)

    def callWhenRunning(self, callable: Any, *args: Any, **kw: Any) -> None:
        callable(*args, **kw)

    def callFromThread(self, callable: Any, *args: Any, **kw: Any) -> None:  # noqa: N802
        callable(*args, **kw)

    def stop(self) -> None:
        self.stopped += 1


class DaemonTests(SynchronousTestCase):
    """Starting, failing to start, stopping."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.pid = self.directory / "pid"
        self.reactor, self.body, self.factory = Reactor(), Body(), Factory()
        self.instance = Instance(self.directory)
        self.instance.claim()
        self.daemon = Daemon(
            self.reactor,
            self.body,
            [Listener(bind("127.0.0.1", 0, "--port"), lambda: self.factory, "answers on loopback")],
            instance=self.instance,
            notifier=Notifier({}, os.getpid(), Clock()),
            pidfile=PidFile(self.pid),
            patience=20,
            abandon=lambda: self.told.append("abandoned"),
        )
        self.addCleanup(self.instance.release)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.told: list[str] = []
        self.daemon.tell(self.told.append)

    def test_nobody_is_answered_before_the_body_is_up(self) -> None:
        """Connections wait in the socket's backlog until the start is over."""
        self.daemon.startService()
        self.assertEqual((self.pid.exists(), self.reactor.adopted, self.told), (True, [], []))
        self.body.starting.callback(None)
        self.assertEqual((self.reactor.adopted, self.told), ([self.factory], [""]))

    def test_stopping_waits_for_the_body_and_takes_the_marks_away(self) -> None:
        """The pid file and the claim stay until the body has ended."""
        self.daemon.startService()
        self.body.starting.callback(None)
        stopped = self.daemon.stopService()
        self.assertNoResult(stopped)
        self.assertTrue(self.pid.exists())
        self.body.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.pid.exists(), self.reactor.getDelayedCalls()), (False, []))
        Instance(self.directory).claim()

    def test_what_does_not_stop_is_abandoned(self) -> None:
        """After the time that was given, and not when it has stopped before."""
        self.daemon.startService()
        self.body.starting.callback(None)
        stopped = self.daemon.stopService()
        self.reactor.advance(19)
        self.assertEqual(self.told, [""])
        self.reactor.advance(1)
        self.assertEqual((self.told, self.pid.exists()), (["", "abandoned"], False))
        self.body.stopping.callback(None)
        self.successResultOf(stopped)

    def test_a_stop_during_the_start_cancels_it_first(self) -> None:
        """Start and stop of the body never overlap."""
        self.daemon.startService()
        stopped = self.daemon.stopService()
        self.body.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.body.calls, self.reactor.adopted), (["start", "stop"], []))

    def test_a_body_that_cannot_start_ends_the_process(self) -> None:
        """The reason is in the log, the reactor is stopped, and the caller learns that it failed."""
        self.daemon.startService()
        self.body.starting.errback(FactoryError("the job store cannot be written", hint="look at the disk"))
        self.assertEqual((self.daemon.failed, self.reactor.stopped), (True, 1))
        self.assertEqual(self.told, ["the job store cannot be written"])

    def test_a_pid_file_that_cannot_be_written(self) -> None:
        """Ends the process in the same way, before the body has begun."""
        self.directory.joinpath("pid").mkdir()
        self.daemon.startService()
        self.assertEqual((self.daemon.failed, self.reactor.stopped, self.body.calls), (True, 1, []))
        self.assertIn("cannot write the pid file", self.told[0])

    def test_a_hang_up_without_a_log_file(self) -> None:
        """Says that there is none, and ends nothing: systemd's reload sends it to the foreground, too."""
        self.daemon.startService()
        with capturedLogs() as logged:
            os.kill(os.getpid(), signal.SIGHUP)
        self.assertIn("no log file to reopen", formatEvent(logged[-1]))
        self.assertEqual(self.reactor.stopped, 0)

    def test_asked_to_end_twice(self) -> None:
        """The reactor hears it once."""
        heard: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
        self.daemon.startService()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(heard, [signal.SIGTERM])

    def test_a_reason_without_words(self) -> None:
        """Is told by its kind: an empty reason would mean that it answers."""
        self.daemon.startService()
        self.body.starting.errback(AssertionError())
        self.assertEqual(self.told, ["AssertionError"])
        self.flushLoggedErrors(AssertionError)


class BindTests(SynchronousTestCase):
    """Listening sockets."""

    def test_a_port_in_use_says_so(self) -> None:
        """The error names address, port and option."""
        first = bind("127.0.0.1", 0, "--port")
        self.addCleanup(first.close)
        error = self.assertRaises(FactoryError, bind, "127.0.0.1", first.address[1], "--port")
        self.assertIn("in use", error.message)
        self.assertIn("--port", error.hint)

    def test_an_address_that_is_not_ours_says_so(self) -> None:
        """TEST-NET-1 is nobody's address."""
        error = self.assertRaises(FactoryError, bind, "192.0.2.1", 0, "--port")
        self.assertEqual(error.where, "192.0.2.1 port 0")
