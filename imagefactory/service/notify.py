"""Notifications to the service manager: sd_notify(3), where systemd passes a socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class Notifier:
    """Sends READY, STOPPING and, in half the interval that was asked for, WATCHDOG; nothing without a socket."""

    _log = Logger()

    def __init__(self, environ: Mapping[str, str], pid: int, clock: IReactorTime) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog = LoopingCall(self._send, "WATCHDOG=1")
        self._watchdog.clock = clock
        self._interval = _interval(environ, pid)

    def ready(self) -> None:
        """Report that the service answers from now on."""
        self._send("READY=1")
        if self._interval and self._address and not self._watchdog.running:
            self._watchdog.start(self._interval, now=False)

    def stopping(self) -> None:
        """Report that the service has begun to stop."""
        self._send("STOPPING=1")
        if self._watchdog.running:
            self._watchdog.stop()

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(message.encode(), address)
        except OSError as error:
            self._log.warn("systemd did not take {message}: {error}", message=message, error=error)


def _interval(environ: Mapping[str, str], pid: int) -> float:
    """Returns seconds between two notifications, 0 for none: half of WATCHDOG_USEC if that is meant for `pid`."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    text = environ.get("WATCHDOG_USEC", "0")
    return int(text) / 2_000_000 if text.isdigit() else 0.0
