"""The proof that an image boots: it is started, and watched until it asks for a login."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint

from imagefactory.lib.concurrency.clock import Clock, sleep, timeout
from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed, CommandFailed, NoSpace, NotBooting, Unavailable
from imagefactory.lib.process.interface import Command, Processes
from imagefactory.model.report import Report
from imagefactory.systems.qemu.accel import KVM, TCG, Acceleration
from imagefactory.systems.qemu.banner import ssh_banner
from imagefactory.systems.qemu.hardware import BIOS, UEFI, DiskBus, Hardware, possible
from imagefactory.systems.qemu.machine import PROGRAMS, Machine, argv, firmware
from imagefactory.systems.qemu.qmp import Qmp, connect
from imagefactory.systems.qemu.serial import Booted, SerialLog, Trouble

POLL = 0.25  # seconds between two looks at the serial log
DYING = 5.0  # seconds that qemu may take to end after its control connection is gone
KVM_SILENCE = 30.0  # a KVM guest that said nothing for so long runs on a KVM that does not work
_LONGEST_SOCKET = 107  # bytes: sun_path of unix(7)
_FORWARDED = re.compile(r"^\s*TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", re.MULTILINE)
_TITLE = "boot check"
_PLAIN = Hardware()


@dataclass(frozen=True, slots=True)
class BootProof:
    """The image booted.

    `seconds` from the start of the machine to the login prompt; `ssh_banner` is None if no SSH server was asked for;
    `tail` are the last lines of the serial port.
    """

    seconds: float
    login: bool
    ssh_banner: str | None
    firmware: str
    disk: DiskBus
    accel: str
    tail: tuple[str, ...]


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


class _KvmFailed(Exception):
    """KVM did not even come as far as the first character."""


async def boot_check(
    image: Path,
    format: str,
    *,
    arch: str,
    ssh: bool,
    acceleration: Acceleration,
    processes: Processes,
    threads: Threads,
    clock: Clock,
    network: Network,
    tmpdir: Path,
    limit: float,
    report: Report,
    hardware: Hardware = _PLAIN,
) -> BootProof:
    """Boot `image` (of qemu's `format`) until its login prompt and, with `ssh`, until an SSH server answers.

    The image is not changed. `limit` is seconds for all of it; `hardware` is what the image has been promised to boot
    on. Raises NotBooting with the last lines of the serial port, MissingTool, Unsupported, NoSpace (the machine's
    writes go to `tmpdir`).
    """
    files = await threads.run(firmware, arch, hardware.firmware)
    hardware = await _possible(hardware, arch, processes, report)
    accel = await acceleration.choose(arch)
    directory = Path(await threads.run(mkdtemp, prefix="boot.", dir=tmpdir))
    try:
        serial, control = directory / "serial.log", directory / "qmp"
        if len(bytes(control)) > _LONGEST_SOCKET:
            raise BuildFailed("the path is too long for a socket", where=str(control), hint="choose a shorter tmpdir")
        devices = (hardware.disk, hardware.card)
        machine = Machine(arch, accel.kind, image, format, serial, control, files, ssh, *devices)
        check = _Check(machine, processes, threads, clock, network, limit, report)
        try:
            return await check.run()
        except _KvmFailed as failure:
            report.line(f"KVM failed ({failure}); once more by emulation")
            return await replace(check, machine=replace(machine, accel=TCG)).run()
    finally:
        await threads.run(shutil.rmtree, directory, ignore_errors=True)


async def _possible(hardware: Hardware, arch: str, processes: Processes, report: Report) -> Hardware:
    """What this host's qemu has of it, and a word about what it has not."""
    if hardware.plain:
        return hardware
    asked = Command((PROGRAMS[arch], "-device", "help"), "asking qemu for its devices")
    found = possible(hardware, await processes.output(asked))
    for wanted, taken in ((hardware.disk, found.disk), (hardware.card, found.card)):
        if wanted is not taken:
            report.line(f"this qemu has no {wanted.value}: the check is made with {taken.value}")
    return found


@dataclass(frozen=True, slots=True)
class _Check:
    """One attempt with one machine."""

    machine: Machine
    processes: Processes
    threads: Threads
    clock: Clock
    network: Network
    limit: float
    report: Report

    async def run(self) -> BootProof:
        self.report.activity(f"booting the image ({self.machine.accel}, {self.machine.bus.value})")
        await self.threads.run(self.machine.serial.write_bytes, b"")
        log = SerialLog()
        proofs: list[BootProof] = []
        async with Scope() as scope:
            scope.start(self._qemu(log, proofs))
            try:
                await scope.start(timeout(self.clock, self.limit, self._attempt(log, proofs)))
            except TimeoutError:
                goal = "SSH server" if isinstance(log.outcome, Booted) else "login prompt"
                raise self._failed(f"saw no {goal} in {self.limit:g} s", log) from None
        return proofs[0]

    async def _qemu(self, log: SerialLog, proofs: list[BootProof]) -> None:
        """The machine; its end before there is a proof is a failure, whatever its exit status."""
        environment = {"TMPDIR": str(self.machine.serial.parent)}
        end = await self.processes.run(Command(argv(self.machine), _TITLE, env=environment))
        if proofs:
            return
        await sleep(self.clock, 2 * POLL)  # the rest of the log is being read, and may say why
        if self.machine.accel == KVM and not log.tail():
            raise _KvmFailed(f"qemu {end}")
        if end.ok:
            raise self._failed("saw the machine reset or switch itself off", log)
        raise CommandFailed("qemu", str(end), end.tail or log.tail())

    async def _attempt(self, log: SerialLog, proofs: list[BootProof]) -> None:
        """The proof; a lost control connection gives way to the reason, which is how qemu ended."""
        try:
            await self._prove(log, proofs)
        except Unavailable:
            await sleep(self.clock, DYING)
            raise

    async def _prove(self, log: SerialLog, proofs: list[BootProof]) -> None:
        begin = self.clock.seconds()
        full: Event[None] = Event()
        qmp = await self._connect(full)
        await self._login(log, full)
        seconds = self.clock.seconds() - begin
        self.report.line(f"login prompt after {seconds:.1f} s")
        banner = await self._banner(qmp) if self.machine.ssh else None
        kind = UEFI if self.machine.firmware else BIOS
        proofs.append(BootProof(seconds, True, banner, kind, self.machine.bus, self.machine.accel, log.tail()))
        await qmp.quit()

    async def _connect(self, full: Event[None]) -> Qmp:
        """The control connection, as soon as qemu listens; if it never does it has died, which is noticed elsewhere."""

        def on_event(name: str, data: dict[str, Any]) -> None:
            if name == "BLOCK_IO_ERROR" and data.get("nospace") and not full.fired:  # qemu has stopped the guest
                full.fire(None)

        while True:
            try:
                return await connect(self.network.unix(str(self.machine.control)), on_event)
            except ConnectError:
                await sleep(self.clock, POLL / 5)

    async def _login(self, log: SerialLog, full: Event[None]) -> None:
        """Until the login prompt; what cannot come to a good end fails at once."""
        offset = 0
        begin = self.clock.seconds()
        while True:
            data = await self.threads.run(self._written, offset)
            offset += len(data)
            outcome = log.feed(data)
            if isinstance(outcome, Booted):
                return
            if isinstance(outcome, Trouble):
                raise self._failed(f"failed: {outcome.text}", log)
            if full.fired:
                raise NoSpace("no space left for what the machine writes", where=str(self.machine.serial.parent.parent))
            if not offset and self.machine.accel == KVM and self.clock.seconds() - begin > KVM_SILENCE:
                raise _KvmFailed(f"no output for {KVM_SILENCE:g} s")
            await sleep(self.clock, POLL)

    async def _banner(self, qmp: Qmp) -> str:
        """Until the SSH server answers; before it runs, qemu itself accepts the connection and closes it."""
        found = _FORWARDED.search(await qmp.monitor("info usernet"))
        if found is None:
            raise BuildFailed("qemu does not tell which port it forwards to the guest")
        endpoint = self.network.tcp("127.0.0.1", int(found[1]))
        while True:
            try:
                banner = await ssh_banner(endpoint, self.clock)
            except ConnectError:
                banner = ""
            if banner:
                self.report.line(f"ssh answers: {banner}")
                return banner
            await sleep(self.clock, 1.0)

    def _written(self, offset: int) -> bytes:
        with self.machine.serial.open("rb") as file:
            file.seek(offset)
            return file.read(1 << 20)

    def _failed(self, outcome: str, log: SerialLog) -> NotBooting:
        tail = log.tail() or ("(nothing came over the serial port)",)
        return NotBooting(_TITLE, outcome, tail, hint="the lines are the last ones of the machine's serial port")
