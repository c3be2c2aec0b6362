"""A client of QMP, qemu's control connection: JSON, one object per line (docs/interop/qmp-spec in qemu's sources)."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.errors import BuildFailed, Unavailable

_CLOSED = "qemu closed its control connection"

EventReader = Callable[[str, dict[str, Any]], None]
"""Called with the name and the data of what qemu tells unasked (SHUTDOWN, STOP, BLOCK_IO_ERROR, ...)."""


class QmpProtocol(LineOnlyReceiver):
    """The wire: replies are matched to commands by id; what is still open fails with the connection."""

    delimiter = b"\n"
    MAX_LENGTH = 4 << 20

    def __init__(self, on_event: EventReader) -> None:
        self._on_event = on_event
        self._replies: dict[int, Deferred[Any]] = {}
        self._last = 0
        self.greeted: Event[None] = Event()
        self.closed: Event[None] = Event()

    def ask(self, command: str, arguments: dict[str, Any]) -> Deferred[Any]:
        """Send a command; returns a Deferred of what stands in `return`."""
        if self.closed.fired:
            raise Unavailable(_CLOSED)
        self._last += 1
        number = self._last
        reply: Deferred[Any] = Deferred(lambda _: self._forget(number))
        self._replies[number] = reply
        message: dict[str, Any] = {"execute": command, "id": number}
        if arguments:
            message["arguments"] = arguments
        self._send(json.dumps(message).encode() + b"\n")
        return reply

    def lineReceived(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.disconnect()
        elif "QMP" in message:
            if not self.greeted.fired:
                self.greeted.fire(None)
        elif "event" in message:
            self._on_event(message["event"], message.get("data", {}))
        else:
            self._reply(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - Twisted's signature
        lost = Failure(Unavailable(_CLOSED))
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            reply.errback(lost)
        if not self.greeted.fired:
            self.greeted.fail(lost)
        self.closed.fire(None)

    def _reply(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        reply = self._replies.pop(number, None) if isinstance(number, int) else None
        if reply is None:  # its asker was cancelled
            return
        if "return" in message:
            reply.callback(message["return"])
        else:
            error = message.get("error")
            text = error.get("desc") if isinstance(error, dict) else error
            reply.errback(BuildFailed(f"qemu refused a command: {text}"))

    def disconnect(self) -> None:
        """Close the connection; qemu goes on."""
        if self.transport is not None:
            self.transport.loseConnection()

    def _send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def _forget(self, number: int) -> None:
        self._replies.pop(number, None)


class Qmp:
    """A control connection that is ready for commands."""

    def __init__(self, protocol: QmpProtocol) -> None:
        self._protocol = protocol

    async def execute(self, command: str, **arguments: Any) -> Any:
        """Run a command; returns what stands in `return`.

        Raises BuildFailed (qemu refuses it), Unavailable (the connection is gone).
        """
        return await self._protocol.ask(command, {name.replace("_", "-"): value for name, value in arguments.items()})

    async def monitor(self, line: str) -> str:
        """Run a command of the human monitor, for what QMP has no command for."""
        return str(await self.execute("human-monitor-command", command_line=line))

    async def quit(self) -> None:
        """Make qemu end; returns when it has closed the connection."""
        with suppress(Unavailable):  # it may go without a reply
            await self.execute("quit")
        await self._protocol.closed.wait()


def ignore(name: str, data: dict[str, Any]) -> None:
    """An `EventReader` that does nothing."""


async def connect(endpoint: IStreamClientEndpoint, on_event: EventReader = ignore) -> Qmp:
    """Connect and negotiate.

    Raises Unavailable, and what the endpoint raises while the socket is not there.
    """
    factory = Factory.forProtocol(partial(QmpProtocol, on_event))
    factory.noisy = False
    protocol: QmpProtocol = await endpoint.connect(factory)  # type: ignore[assignment]
    await protocol.greeted.wait()
    qmp = Qmp(protocol)
    await qmp.execute("qmp_capabilities")
    return qmp
