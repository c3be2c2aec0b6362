"""The daemon as a Twisted service: starts what it serves, says so, and stops it in good order."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError
from imagefactory.service.instance import Instance
from imagefactory.service.listening import BoundSocket
from imagefactory.service.notify import Notifier
from imagefactory.service.pidfile import PidFile


class Startable(Protocol):
    """What the daemon runs."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


Ending = Callable[[], Awaitable[None]]
SignalHandler = Callable[[int, FrameType | None], Any]


def end_hard() -> None:
    """End this process at once: children go with it, and the next start clears away what the journal names."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Listener:
    """One way the service is reached.

    `make` gives the protocol factory once the body has started. `drain` lets go of the body before that
    stops, `end` ends its connections afterwards: they may stream until then. `description` is for the log.
    """

    socket: BoundSocket
    make: Callable[[], IProtocolFactory]
    description: str
    drain: Ending | None = None
    end: Ending | None = None


class Daemon(Service):
    """Body, faces and the marks a running daemon leaves (pid file, claim on the state directory, word to systemd).

    `failed` tells whether it ended because it could not start. What has not stopped after `patience` seconds (a thread
    that waits for a dead disk cannot be interrupted) is abandoned.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,  # several Twisted interfaces at once: sockets, core, threads
        body: Startable,
        faces: Sequence[Listener],
        *,
        instance: Instance,
        notifier: Notifier,
        pidfile: PidFile | None = None,
        reopen_log: Callable[[], None] | None = None,
        patience: float = 60.0,
        abandon: Callable[[], None] = end_hard,
    ) -> None:
        self._reactor = reactor
        self._body = body
        self._faces = faces
        self._instance = instance
        self._notifier = notifier
        self._pidfile = pidfile
        self._reopen_log = reopen_log
        self._patience = patience
        self._abandon = abandon
        self._ports: list[IListeningPort] = []
        self._starting: Task[None] | None = None
        self._listener: Callable[[str], None] = lambda _: None
        self._asked_to_end = False
        self.failed = False

    def tell(self, listener: Callable[[str], None]) -> None:
        """Call `listener` once it answers, or with the reason why it does not."""
        self._listener = listener

    def startService(self) -> None:
        """Leave the marks, then start the body; connections wait until it is up."""
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._hear_signals)
        self._starting = Task(self._start())
        self._starting.ended.wait().addErrback(self._give_up)

    def stopService(self) -> Deferred[None]:
        """Stop answering, stop the body, take the marks away."""
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        self._instance.sign()
        if self._pidfile is not None:
            self._pidfile.write()
        await self._body.start()
        for face in self._faces:
            self._ports.append(face.socket.serve(self._reactor, face.make()))
            self._log.info("{description}", description=face.description)
        self._notifier.ready()
        self._listener("")

    def _give_up(self, failure: Failure) -> None:
        if isinstance(failure.value, CancelledError):  # stopped before it was up
            return
        self.failed = True
        if isinstance(failure.value, FactoryError):
            hint = f" ({failure.value.hint})" if failure.value.hint else ""
            self._log.critical("cannot start: {error}{hint}", error=failure.value, hint=hint)
        else:
            self._log.failure("cannot start", failure)
        self._listener(str(failure.value) or type(failure.value).__name__)
        if self.running:
            self._reactor.callWhenRunning(self._stop_reactor)

    def _stop_reactor(self) -> None:
        with suppress(ReactorNotRunning):  # a signal was first
            self._reactor.stop()

    async def _stop(self) -> None:
        self._log.info("stopping")
        self._notifier.stopping()
        super().stopService()  # type: ignore[no-untyped-call]
        late = self._reactor.callLater(self._patience, self._give_in)
        if self._starting is not None:
            self._starting.cancel()
            await self._starting.settled()
        for port in self._ports:
            await _stopped(port)
        serving = self._faces[: len(self._ports)]
        try:
            await _all(face.drain for face in serving)
            await self._body.stop()
            await _all(face.end for face in serving)
        finally:
            if late.active():
                late.cancel()
            if self._pidfile is not None:
                self._pidfile.remove()
            self._instance.release()
        self._log.info("stopped")

    def _give_in(self) -> None:
        self._log.critical("not stopped in {seconds:g} seconds: what is left is abandoned", seconds=self._patience)
        if self._pidfile is not None:
            self._pidfile.remove()
        self._abandon()

    def _hear_signals(self) -> None:
        """A hang-up ends nothing, with or without a log file; what asks for the end counts once."""
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reopen))
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):  # the reactor's own
                signal.signal(number, self._once(before))

    def _once(self, handle: SignalHandler) -> SignalHandler:
        def heard(number: int, frame: FrameType | None) -> None:
            if self._asked_to_end:  # the reactor cannot be stopped twice
                self._reactor.callFromThread(self._log.info, "stopping already; SIGKILL would end it at once")
                return
            self._asked_to_end = True
            handle(number, frame)

        return heard

    def _reopen(self) -> None:
        if self._reopen_log is None:
            self._log.info("there is no log file to reopen: this daemon logs to where it was started")
            return
        try:
            self._reopen_log()
        except FactoryError as error:
            self._log.error("the log goes on in the old file: {error}", error=error)


async def _all(endings: Iterable[Ending | None]) -> None:
    for ending in endings:
        if ending is not None:
            await ending()


async def _stopped(port: IListeningPort) -> None:
    ended = port.stopListening()
    if ended is not None:
        await ended
