"""A virtual machine that runs: its control connection, its serial port, its end."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint

from imagefactory.lib.concurrency.clock import Clock, sleep
from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed, CommandFailed, NoSpace, TimedOut, Unavailable
from imagefactory.lib.process.interface import Command, Exit, Processes
from imagefactory.systems.qemu.machine import Machine, argv
from imagefactory.systems.qemu.qmp import Qmp, connect
from imagefactory.systems.qemu.serial import plain

POLL = 0.25  # seconds between two looks at the serial log
DYING = 5.0  # seconds that qemu may take to end after its control connection is gone
_CHUNK = 1 << 20
_WINDOW = 4096  # characters of the last line that a pattern is searched in
_FORWARDED = re.compile(r"^\s*TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", re.MULTILINE)
_SWITCHED_OFF = "guest-shutdown"  # ShutdownCause, qapi/run-state.json in qemu's sources

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach qemu's control socket and the guest's forwarded port."""

    unix: Callable[[str], IStreamClientEndpoint]
    tcp: Callable[[str, int], IStreamClientEndpoint]

    @classmethod
    def of(cls, reactor: object) -> Network:
        """Over the reactor that was handed in (IReactorUNIX and IReactorTCP)."""
        return cls(
            unix=lambda path: UNIXClientEndpoint(reactor, path),
            tcp=lambda host, port: TCP4ClientEndpoint(reactor, host, port),
        )


@dataclass(frozen=True, slots=True)
class MachineHost:
    """What machines run with on this host."""

    processes: Processes
    threads: Threads
    clock: Clock
    network: Network


class MachineEnded(CommandFailed):
    """qemu ended before it was told to; `end` is how. Exit status 0 means that the guest reset or switched itself
    off."""

    def __init__(self, end: Exit) -> None:
        super().__init__("qemu", str(end), end.tail)
        self.end = end


class RunningMachine:
    """One machine while its qemu runs; made by `run_machine`.

    Attributes:
        started: when, in seconds of the host's clock.
        qmp: the control connection.
    """

    qmp: Qmp

    def __init__(self, machine: Machine, host: MachineHost) -> None:
        self.machine = machine
        self.started = host.clock.seconds()
        self._host = host
        self._full: Event[None] = Event()
        self._end: Event[Exit] = Event()
        self._cause = ""
        self._ending = False
        self._offset = 0

    async def watch(self, find: Callable[[bytes], T | None], *, silence: float | None = None) -> T:
        """Read the serial port on, until `find` returns something.

        Args:
            find: gets what has come since the last time, four times a second; b"" if that is nothing.
            silence: seconds for which nothing may come (None: no limit).

        Raises MachineEnded, TimedOut, NoSpace (the machine's writes), and what `find` raises.
        """
        clock = self._host.clock
        heard = clock.seconds()
        while True:
            ended = self._end.fired
            data = await self._read()
            found = find(data)
            if found is not None:
                return found
            if self._full.fired:
                raise NoSpace("no space left for what the machine writes", where=str(self.machine.serial.parent.parent))
            if data:
                heard = clock.seconds()
            elif ended:
                raise MachineEnded(await self._end.wait())
            elif silence is not None and clock.seconds() - heard > silence:
                raise TimedOut(f"the machine printed nothing for {silence:g} seconds")
            await sleep(clock, POLL)

    async def wait_for(self, pattern: re.Pattern[str], *, silence: float | None = None) -> re.Match[str]:
        """Read the serial port on, until a line has `pattern`; escape sequences do not count.

        Raises as `watch`.
        """
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        last = ""

        def find(data: bytes) -> re.Match[str] | None:
            nonlocal last
            *lines, last = (last + decode(data)).split("\n")
            last = last[-_WINDOW:]
            return next(filter(None, (pattern.search(plain(line)) for line in (*lines, last))), None)

        return await self.watch(find, silence=silence)

    async def wait_for_shutdown(
        self, on_output: Callable[[bytes], None] = lambda _: None, *, silence: float | None = None
    ) -> None:
        """Wait until the guest has switched itself off.

        That qemu ended proves nothing: it also does so when the guest is reset. The proof is that it says so.

        Args:
            on_output: gets what comes over the serial port.
            silence: seconds for which nothing may come (None: no limit).

        Raises as `watch`; MachineEnded if it ended in another way.
        """
        self._ending = True
        try:
            await self.watch(on_output, silence=silence)
        except MachineEnded as error:
            if not error.end.ok or self._cause != _SWITCHED_OFF:
                raise

    async def power_down(self) -> None:
        """Press the power button; the guest may take its time, or not obey (`wait_for_shutdown`)."""
        self._ending = True
        await self.qmp.execute("system_powerdown")

    async def forwarded_port(self) -> int:
        """Returns the port on 127.0.0.1 that leads to port 22 of the guest."""
        found = _FORWARDED.search(await self.qmp.monitor("info usernet"))
        if found is None:
            raise BuildFailed("qemu does not tell which port it forwards to the guest")
        return int(found[1])

    async def quit(self) -> None:
        """End the machine at once, as by pulling the plug."""
        self._ending = True
        await self.qmp.quit()
        await self._end.wait()

    async def supervise(self, title: str) -> None:
        """Run qemu to its end; MachineEnded unless it was to end."""
        environment = {"TMPDIR": str(self.machine.serial.parent)}
        try:
            end = await self._host.processes.run(Command(argv(self.machine), title, env=environment))
        except CancelledError:
            if not self._ending:
                raise
            return
        self._end.fire(end)
        if not self._ending:
            await sleep(self._host.clock, 2 * POLL)  # the rest of the log is being read, and may say why
            raise MachineEnded(end)

    async def serve(self, work: Callable[[RunningMachine], Awaitable[T]]) -> T:
        """Connect, and do the work; a lost connection gives way to the reason, which is how qemu ended."""
        try:
            self.qmp = await self._connect()
            return await work(self)
        except Unavailable:
            await sleep(self._host.clock, DYING)
            raise
        finally:
            self._ending = True

    async def _connect(self) -> Qmp:
        """As soon as qemu listens; if it never does it has died, which `supervise` notices."""
        while True:
            try:
                return await connect(self._host.network.unix(str(self.machine.control)), self._on_event)
            except ConnectError:
                await sleep(self._host.clock, POLL / 5)

    def _on_event(self, name: str, data: dict[str, Any]) -> None:
        if name == "SHUTDOWN":
            self._cause = str(data.get("reason", ""))
        elif name == "BLOCK_IO_ERROR" and data.get("nospace") and not self._full.fired:  # qemu has stopped the guest
            self._full.fire(None)

    async def _read(self) -> bytes:
        data = await self._host.threads.run(self._written, self._offset)
        self._offset += len(data)
        return data

    def _written(self, offset: int) -> bytes:
        with self.machine.serial.open("rb") as file:
            file.seek(offset)
            return file.read(_CHUNK)


async def run_machine(
    machine: Machine, host: MachineHost, title: str, work: Callable[[RunningMachine], Awaitable[T]]
) -> T:
    """Start a machine, do `work` with it, and end it, however the work ends.

    Args:
        title: of the process, for the log.
        work: an end of the machine that it has not asked for cancels it.

    Raises MachineEnded, MissingTool, and what `work` raises.
    """
    await host.threads.run(machine.serial.write_bytes, b"")
    running = RunningMachine(machine, host)
    async with Scope() as scope:
        process = scope.start(running.supervise(title))
        result = await scope.start(running.serve(work))
        process.cancel()
    return result
