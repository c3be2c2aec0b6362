"""Running one coroutine under the reactor; signals cancel it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from types import FrameType

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.errors import FactoryError

log = Logger()


class Run:
    """One coroutine, from the reactor's start to its stop.

    The first SIGINT, SIGTERM or SIGHUP cancels it; it then cleans up and ends by itself. Further signals only write a
    line: a second cancel would interrupt the clean-up. Under nohup(1) SIGHUP is ignored.
    """

    def __init__(self, reactor: IReactorCore, body: Callable[[], Awaitable[int]]) -> None:
        self._reactor = reactor
        self._body = body
        self._deferred: Deferred[int] | None = None
        self._interrupted = False
        self.status: int | None = None
        self.error: FactoryError | None = None

    def run_to_end(self) -> None:
        """Run the reactor until the coroutine has ended; then `status` or `error` is set."""
        self._handle_signals()
        self._reactor.callWhenRunning(self._start)
        self._reactor.run()

    def _start(self) -> None:
        self._handle_signals()  # again: the reactor has set its own for SIGTERM
        self._deferred = Deferred.fromCoroutine(self._coroutine())
        self._deferred.addCallbacks(self._ended, self._failed)
        self._deferred.addBoth(lambda _: self._reactor.stop())
        if self._interrupted:
            self._deferred.cancel()

    def _handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    async def _coroutine(self) -> int:
        return await self._body()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        IReactorFromThreads(self._reactor).callFromThread(self._interrupt, signal.Signals(number).name)

    def _interrupt(self, name: str) -> None:
        if self._interrupted:
            sys.stderr.write(f"imagefactory: {name}: already stopping, cleaning up\n")
            return
        self._interrupted = True
        sys.stderr.write(f"imagefactory: {name}: cancelling, cleaning up\n")
        if self._deferred is not None:
            self._deferred.cancel()

    def _ended(self, status: int) -> None:
        self.status = status

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, FactoryError):
            self.error = failure.value
        elif isinstance(failure.value, CancelledError):
            self.status = 1
        else:
            log.failure("This is a defect in Image Factory", failure)
            self.status = 1
