"""The daemon as a Twisted service: starts what it serves, reports that, and stops it in good order."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError
from imagefactory.service.instance import Instance
from imagefactory.service.listening import BoundSocket
from imagefactory.service.notify import Notifier
from imagefactory.service.pidfile import PidFile


class Served(Protocol):
    """What the daemon runs."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


Stop = Callable[[], Awaitable[None]]
SignalHandler = Callable[[int, FrameType | None], Any]


def end_hard() -> None:
    """End this process at once: its children are killed, and the next start removes what the journal names."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Listener:
    """A port at which the service is reached.

    Attributes:
        make: returns the protocol factory, once the service has started.
        description: for the log.
        drain: lets go of the service before that stops.
        end: ends the connections afterwards: they may stream until then.
    """

    socket: BoundSocket
    make: Callable[[], IProtocolFactory]
    description: str
    drain: Stop | None = None
    end: Stop | None = None


class Daemon(Service):
    """The service, its listeners, and what a running daemon leaves outside: pid file, claim on the state directory,
    notifications to systemd.

    Args:
        patience: seconds after which what has not stopped (a thread that waits for a dead disk cannot be interrupted)
            is abandoned.

    Attributes:
        failed: whether it ended because it could not start.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,  # several Twisted interfaces at once: sockets, core, threads
        service: Served,
        listeners: Sequence[Listener],
        *,
        instance: Instance,
        notifier: Notifier,
        pidfile: PidFile | None = None,
        reopen_log: Callable[[], None] | None = None,
        patience: float = 60.0,
        abandon: Callable[[], None] = end_hard,
    ) -> None:
        self._reactor = reactor
        self._clock: Clock = reactor
        self._service = service
        self._listeners = listeners
        self._instance = instance
        self._notifier = notifier
        self._pidfile = pidfile
        self._reopen_log = reopen_log
        self._patience = patience
        self._abandon = abandon
        self._ports: list[IListeningPort] = []
        self._starting: Task[None] | None = None
        self._report: Callable[[str], None] = lambda _: None
        self._asked_to_end = False
        self.failed = False

    def when_decided(self, report: Callable[[str], None]) -> None:
        """Call `report` once it answers (with an empty text), or with the reason why it does not."""
        self._report = report

    def startService(self) -> None:
        """Write the pid file, then start the service; connections wait until it is up."""
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._handle_signals)
        self._starting = Task(self._start())
        self._starting.ended.wait().addErrback(self._give_up)

    def stopService(self) -> Deferred[None]:
        """Stop answering, stop the service, remove the pid file and the claim."""
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        self._instance.write_pid()
        if self._pidfile is not None:
            self._pidfile.write()
        await self._service.start()
        for listener in self._listeners:
            self._ports.append(listener.socket.serve(self._reactor, listener.make()))
            self._log.info("{description}", description=listener.description)
        self._notifier.ready()
        self._report("")

    def _give_up(self, failure: Failure) -> None:
        if isinstance(failure.value, CancelledError):  # stopped before it was up
            return
        self.failed = True
        if isinstance(failure.value, FactoryError):
            hint = f" ({failure.value.hint})" if failure.value.hint else ""
            self._log.critical("cannot start: {error}{hint}", error=failure.value, hint=hint)
        else:
            self._log.failure("cannot start", failure)
        self._report(str(failure.value) or type(failure.value).__name__)
        if self.running:
            self._reactor.callWhenRunning(self._stop_reactor)

    def _stop_reactor(self) -> None:
        with suppress(ReactorNotRunning):  # a signal was first
            self._reactor.stop()

    async def _stop(self) -> None:
        self._log.info("stopping")
        self._notifier.stopping()
        super().stopService()  # type: ignore[no-untyped-call]
        late = self._clock.callLater(self._patience, self._give_in)
        try:
            if self._starting is not None:
                self._starting.cancel()
                await self._starting.settled()
            await self._end_all()
        finally:
            if late.active():
                late.cancel()
            if self._pidfile is not None:
                self._pidfile.remove()
            self._instance.release()
        self._log.info("stopped")

    async def _end_all(self) -> None:
        """One that cannot be stopped does not keep the others from being stopped."""
        serving = self._listeners[: len(self._ports)]
        steps: list[Stop | None] = [
            *(partial(_stopped, port) for port in self._ports),
            *(listener.drain for listener in serving),
            self._service.stop,
            *(listener.end for listener in serving),
        ]
        for step in steps:
            try:
                if step is not None:
                    await step()
            except CancelledError:
                raise
            except Exception:
                self._log.failure("a part of the daemon cannot be stopped in good order")

    def _give_in(self) -> None:
        self._log.critical("not stopped in {seconds:g} seconds: what is left is abandoned", seconds=self._patience)
        if self._pidfile is not None:
            self._pidfile.remove()
        self._abandon()

    def _handle_signals(self) -> None:
        """A hang-up ends nothing, with or without a log file; a signal that ends the process counts once."""
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reopen))
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):  # the reactor's own
                signal.signal(number, self._once(before))

    def _once(self, handle: SignalHandler) -> SignalHandler:
        def handled_once(number: int, frame: FrameType | None) -> None:
            if self._asked_to_end:  # the reactor cannot be stopped twice
                self._reactor.callFromThread(self._log.info, "stopping already; SIGKILL would end it at once")
                return
            self._asked_to_end = True
            handle(number, frame)

        return handled_once

    def _reopen(self) -> None:
        if self._reopen_log is None:
            self._log.info("there is no log file to reopen: this daemon logs to where it was started")
            return
        try:
            self._reopen_log()
        except FactoryError as error:
            self._log.error("the log goes on in the old file: {error}", error=error)


async def _stopped(port: IListeningPort) -> None:
    ended = port.stopListening()
    if ended is not None:
        await ended
