"""The daemon's life around its service."""

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


class Service:
    """A service whose start and stop end when the test says so."""

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


class Port:
    """A port whose stop may fail."""

    failure: Exception | None = None

    def stopListening(self) -> None:  # noqa: N802
        if self.failure is not None:
            raise self.failure


class Reactor(MemoryReactorClock):
    """Remembers what was adopted."""

    def __init__(self) -> None:
        super().__init__()
        self.adopted: list[Any] = []
        self.ports: list[Port] = []
        self.stopped = 0

    def adoptStreamPort(self, fileno: int, family: Any, factory: Any) -> Any:
        self.adopted.append(factory)
        self.ports.append(Port())
        return self.ports[-1]

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
        self.reactor, self.service, self.factory = Reactor(), Service(), Factory()
        self.drained: list[str] = []
        listener = Listener(
            bind("127.0.0.1", 0, "--port"),
            lambda: self.factory,
            "answers on loopback",
            drain=lambda: self.ended("drain"),
            end=lambda: self.ended("end"),
        )
        self.instance = Instance(self.directory)
        self.instance.claim()
        self.daemon = Daemon(
            self.reactor,
            self.service,
            [listener],
            instance=self.instance,
            notifier=Notifier({}, os.getpid(), Clock()),
            pidfile=PidFile(self.pid),
            patience=20,
            abandon=lambda: self.reported.append("abandoned"),
        )
        self.addCleanup(self.instance.release)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.reported: list[str] = []
        self.daemon.when_decided(self.reported.append)

    async def ended(self, step: str) -> None:
        self.drained.append(step)

    def test_no_request_is_answered_before_the_service_is_up(self) -> None:
        """Connections wait in the socket's backlog until the start is over."""
        self.daemon.startService()
        self.assertEqual((self.pid.exists(), self.reactor.adopted, self.reported), (True, [], []))
        self.service.starting.callback(None)
        self.assertEqual((self.reactor.adopted, self.reported), ([self.factory], [""]))

    def test_stopping_waits_for_the_service_and_removes_pid_file_and_claim(self) -> None:
        """The pid file and the claim stay until the service has ended."""
        self.daemon.startService()
        self.service.starting.callback(None)
        stopped = self.daemon.stopService()
        self.assertNoResult(stopped)
        self.assertTrue(self.pid.exists())
        self.service.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.pid.exists(), self.reactor.getDelayedCalls()), (False, []))
        Instance(self.directory).claim()

    def test_what_does_not_stop_is_abandoned(self) -> None:
        """After the time that was given, and not when it has stopped before."""
        self.daemon.startService()
        self.service.starting.callback(None)
        stopped = self.daemon.stopService()
        self.reactor.advance(19)
        self.assertEqual(self.reported, [""])
        self.reactor.advance(1)
        self.assertEqual((self.reported, self.pid.exists()), (["", "abandoned"], False))
        self.service.stopping.callback(None)
        self.successResultOf(stopped)

    def test_a_part_that_cannot_be_stopped(self) -> None:
        """Is logged and keeps nothing else from ending: the other parts, the pid file, the claim, the time limit."""
        self.daemon.startService()
        self.service.starting.callback(None)
        self.reactor.ports[-1].failure = OSError("bad descriptor")
        stopped = self.daemon.stopService()
        self.service.stopping.errback(FactoryError("the job store cannot be written"))
        self.successResultOf(stopped)
        self.assertEqual(len(self.flushLoggedErrors(OSError, FactoryError)), 2)
        self.assertEqual((self.service.calls, self.drained), (["start", "stop"], ["drain", "end"]))
        self.assertEqual((self.pid.exists(), self.reactor.getDelayedCalls()), (False, []))
        Instance(self.directory).claim()

    def test_a_stop_during_the_start_cancels_it_first(self) -> None:
        """Start and stop of the service never overlap."""
        self.daemon.startService()
        stopped = self.daemon.stopService()
        self.service.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual((self.service.calls, self.reactor.adopted), (["start", "stop"], []))

    def test_a_service_that_cannot_start_ends_the_process(self) -> None:
        """The reason is in the log, the reactor is stopped, and the caller learns that it failed."""
        self.daemon.startService()
        self.service.starting.errback(FactoryError("the job store cannot be written", hint="look at the disk"))
        self.assertEqual((self.daemon.failed, self.reactor.stopped), (True, 1))
        self.assertEqual(self.reported, ["the job store cannot be written"])

    def test_a_pid_file_that_cannot_be_written(self) -> None:
        """Ends the process in the same way, before the service has begun."""
        self.directory.joinpath("pid").mkdir()
        self.daemon.startService()
        self.assertEqual((self.daemon.failed, self.reactor.stopped, self.service.calls), (True, 1, []))
        self.assertIn("cannot write the pid file", self.reported[0])

    def test_a_hang_up_without_a_log_file(self) -> None:
        """Says that there is none, and ends nothing: systemd's reload sends it to the foreground, too."""
        self.daemon.startService()
        with capturedLogs() as logged:
            os.kill(os.getpid(), signal.SIGHUP)
        self.assertIn("no log file to reopen", formatEvent(logged[-1]))
        self.assertEqual(self.reactor.stopped, 0)

    def test_asked_to_end_twice(self) -> None:
        """The reactor is stopped once."""
        heard: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
        self.daemon.startService()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        self.assertEqual(heard, [signal.SIGTERM])

    def test_a_reason_without_words(self) -> None:
        """Is reported by its kind: an empty reason would mean that it answers."""
        self.daemon.startService()
        self.service.starting.errback(AssertionError())
        self.assertEqual(self.reported, ["AssertionError"])
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
        """TEST-NET-1 is no host's address."""
        error = self.assertRaises(FactoryError, bind, "192.0.2.1", 0, "--port")
        self.assertEqual(error.where, "192.0.2.1 port 0")
