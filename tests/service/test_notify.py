"""sd_notify."""

import socket
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.service.notify import Notifier


class NotifierTests(SynchronousTestCase):
    """What is sent to systemd."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()  # a socket's path must be short
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(self.socket.close)
        self.socket.bind(str(path))
        self.clock = Clock()
        self.environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "7"}

    def heard(self) -> list[str]:
        """All messages since the last call."""
        messages = []
        try:
            while True:
                messages.append(self.socket.recv(100).decode())
        except BlockingIOError:
            return messages

    def test_ready_watchdog_stopping(self) -> None:
        """READY once, a sign of life each half interval, and STOPPING ends them."""
        notifier = Notifier(self.environ, 7, self.clock)
        notifier.ready()
        self.clock.pump([5, 5])
        notifier.stopping()
        self.clock.advance(20)
        self.assertEqual(self.heard(), ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"])

    def test_a_watchdog_of_another_process_is_not_ours(self) -> None:
        """WATCHDOG_PID names who is watched."""
        Notifier(self.environ, 8, self.clock).ready()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_systemd_nothing_is_said(self) -> None:
        """No socket in the environment, no word, no timer."""
        Notifier({"WATCHDOG_USEC": "10000000"}, 7, self.clock).ready()
        self.assertEqual((self.heard(), self.clock.getDelayedCalls()), ([], []))

    def test_a_dead_socket_is_only_a_warning(self) -> None:
        """A service manager that went away does not stop the service."""
        notifier = Notifier({"NOTIFY_SOCKET": "/nonexistent/notify"}, 7, self.clock)
        notifier.ready()
        self.assertEqual(self.heard(), [])
