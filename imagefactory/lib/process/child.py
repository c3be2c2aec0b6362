"""One child process from its start to the end of its whole group."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.error import ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.process.interface import Exit
from imagefactory.lib.process.proc import group_lives

Kill = Callable[[int, int], None]
"""`os.kill`: a negative number is a process group."""


@dataclass(frozen=True, slots=True)
class EndTimeouts:
    """Seconds that a child has to end.

    Attributes:
        grace: from TERM to KILL.
        linger: how long what a child leaves running may hold its output after its exit.
        backup: from KILL until the child is given up, whatever the kernel does with it.
    """

    grace: float = 5.0
    linger: float = 1.0
    backup: float = 10.0


DEFAULT_TIMEOUTS = EndTimeouts()


class Sink(Protocol):
    """Takes output."""

    def feed(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Child(ProcessProtocol):
    """Feeds output to `out` and `err`, keeps the two clocks, and ends the group when asked or when a clock runs out.

    The child must be the leader of its own group (`setsid` in front).

    Attributes:
        ended: fires when the child and its group are gone; with None if it could not be ended.
        late: which clock ran out, "silence" or "total"; empty if none.
        fault: what a sink raised.
    """

    _log = Logger()
    _POLL = 0.05

    def __init__(
        self,
        clock: IReactorTime,
        out: Sink,
        err: Sink,
        *,
        stdin: bytes = b"",
        silence: float | None = None,
        total: float | None = None,
        timeouts: EndTimeouts = DEFAULT_TIMEOUTS,
        kill: Kill = os.kill,
        lives: Callable[[int], bool] = group_lives,
    ) -> None:
        self.ended: Event[Exit | None] = Event()
        self.late = ""
        self.fault: Exception | None = None
        self.pid = 0
        self._clock = clock
        self._sinks = {1: out, 2: err}
        self._stdin = stdin
        self._limits = {"silence": silence, "total": total}
        self._timeouts = timeouts
        self._kill = kill
        self._lives = lives
        self._exited = False
        self._ending = False
        self._calls: dict[str, IDelayedCall] = {}

    def connectionMade(self) -> None:
        """Give it its input and start the clocks."""
        assert self.transport is not None
        self.pid = self.transport.pid
        if self._stdin:
            self.transport.write(self._stdin)
        self.transport.closeStdin()
        for name, seconds in self._limits.items():
            if seconds is not None:
                self._later(name, seconds, self._expire, name)

    def childDataReceived(self, fd: int, data: bytes) -> None:
        """Output has come."""
        if "silence" in self._calls and self._limits["silence"] is not None:
            self._calls["silence"].reset(self._limits["silence"])
        if self.fault is None:
            self._guarded(self._sinks[fd].feed, data)

    def processExited(self, reason: Failure) -> None:  # noqa: ARG002 - processEnded gets it again
        """The leader has ended; others may still hold its output."""
        self._exited = True
        for name in ("silence", "total"):
            self._stop(name)
        self._later("linger", self._timeouts.linger, self._cut)

    def processEnded(self, reason: Failure) -> None:
        """The leader has ended and its output is closed: end what it left running."""
        self._exited = True
        self._stop_all()
        if self.ended.fired:
            return
        if self.fault is None:
            for sink in self._sinks.values():
                self._guarded(sink.close)
        self._sweep(_exit(reason), self._clock.seconds() + self._timeouts.backup)

    def end(self) -> None:
        """Ask the group to end, and kill it after the grace."""
        if self._ending or self.ended.fired:
            return
        self._ending = True
        self._later("grace", self._timeouts.grace, self._force)
        self._signal(signal.SIGTERM)

    def _force(self) -> None:
        self._later("backup", self._timeouts.backup, self._give_up)
        self._signal(signal.SIGKILL)

    def _cut(self) -> None:
        self._signal(signal.SIGKILL)
        self._hang_up()

    def _give_up(self) -> None:
        self._log.error("process {pid} does not end, not even when it is killed", pid=self.pid)
        self._stop_all()
        self._hang_up()
        self.ended.fire(None)

    def _hang_up(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def _sweep(self, outcome: Exit, deadline: float) -> None:
        """Kill what is left of the group; fire `ended` when it is gone, or at `deadline`."""
        left = self._signal(signal.SIGKILL) and self._lives(self.pid)
        if left and self._clock.seconds() < deadline:
            self._later("sweep", self._POLL, self._sweep, outcome, deadline)
        else:
            self.ended.fire(outcome)

    def _expire(self, clock: str) -> None:
        self.late = clock
        self.end()

    def _signal(self, number: signal.Signals) -> bool:
        """Signal the group; returns whether there was anything to signal."""
        try:
            self._kill(-self.pid, number)
        except ProcessLookupError:
            # Between its start and its setsid() the child has no group yet.
            return not self._exited and self._signal_leader(number)
        except PermissionError:
            self._log.warn("process group {pid} may not be signalled", pid=self.pid)
            return False
        return True

    def _signal_leader(self, number: signal.Signals) -> bool:
        try:
            self._kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _guarded(self, feed: Callable[..., None], *data: bytes) -> None:
        try:
            feed(*data)
        except Exception as error:
            self.fault = error
            self.end()

    def _later(self, name: str, seconds: float, call: Callable[..., None], *args: object) -> None:
        self._stop(name)
        self._calls[name] = self._clock.callLater(seconds, self._ring, name, call, args)

    def _ring(self, name: str, call: Callable[..., None], args: tuple[object, ...]) -> None:
        del self._calls[name]
        call(*args)

    def _stop(self, name: str) -> None:
        call = self._calls.pop(name, None)
        if call is not None:
            call.cancel()

    def _stop_all(self) -> None:
        for name in tuple(self._calls):
            self._stop(name)


def _exit(reason: Failure) -> Exit:
    error = reason.value
    if isinstance(error, ProcessTerminated):
        return Exit(code=error.exitCode, signal=error.signal)
    return Exit(code=0, signal=None)
