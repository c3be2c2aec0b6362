"""A qemu that the test plays: its process, its serial port and its control connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from imagefactory.lib.process.interface import Command, Exit, LineReader

USERNET = """Hub 0 (net):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  13       127.0.0.1 40123       10.0.2.15    22     0     0
"""


class FakeQemu:
    """`Processes` for one program: it runs until `quit`, `end` or cancellation; the test writes its serial port."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.cancelled = 0
        self.questions: list[tuple[str, ...]] = []
        self.help = 'name "pvscsi", bus PCI\nname "vmxnet3", bus PCI\n'
        self._end: Deferred[Exit] | None = None

    async def run(
        self, command: Command, on_line: LineReader | None = None, on_error_line: LineReader | None = None
    ) -> Exit:
        self.commands.append(command)
        self._end = Deferred()
        try:
            return await self._end
        except CancelledError:
            self.cancelled += 1
            raise

    async def output(self, command: Command, limit: int = 1 << 20) -> str:
        self.questions.append(command.argv)
        return self.help

    @property
    def serial(self) -> Path:
        argv = self.commands[-1].argv
        return Path(argv[argv.index("-chardev") + 1].rpartition("path=")[2])

    def say(self, text: str) -> None:
        with self.serial.open("a") as file:
            file.write(text)

    def end(self, outcome: Exit) -> None:
        assert self._end is not None
        self._end.callback(outcome)


@implementer(IStreamClientEndpoint)
class Control:
    """qemu's control socket: greets, replies, quits."""

    disconnecting = False

    def __init__(self, qemu: FakeQemu, refusals: int = 1) -> None:
        self._qemu = qemu
        self._refusals = refusals
        self.silent = False
        self.commands: list[str] = []

    def connect(self, factory: Factory) -> Deferred[Any]:
        if self._refusals:
            self._refusals -= 1
            return fail(ConnectionRefusedError())
        self.protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        self.protocol.makeConnection(self)
        if not self.silent:
            self.say({"QMP": {}})
        return succeed(self.protocol)

    def write(self, data: bytes) -> None:
        message = json.loads(data)
        self.commands.append(message["execute"])
        reply = USERNET if message["execute"] == "human-monitor-command" else {}
        self.say({"return": reply, "id": message["id"]})
        if message["execute"] == "quit":
            self.protocol.connectionLost(Failure(ConnectionDone()))
            self._qemu.end(Exit(0, None))

    def loseConnection(self) -> None:
        """As a transport."""

    def say(self, message: object) -> None:
        self.protocol.dataReceived(json.dumps(message).encode() + b"\n")
