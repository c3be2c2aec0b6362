"""The proof that an image boots: it is started, and watched until it asks for a login."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from twisted.internet.error import ConnectError

from imagefactory.lib.concurrency.clock import Clock, sleep, timeout
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import BuildFailed, CommandFailed, NotBooting
from imagefactory.lib.process.interface import Command, Processes
from imagefactory.model.report import Report
from imagefactory.systems.qemu.accel import KVM, TCG, Acceleration
from imagefactory.systems.qemu.banner import ssh_banner
from imagefactory.systems.qemu.hardware import BIOS, UEFI, DiskBus, Hardware, possible
from imagefactory.systems.qemu.machine import PROGRAMS, Drive, Machine, firmware
from imagefactory.systems.qemu.running import MachineEnded, MachineHost, Network, RunningMachine, run_machine
from imagefactory.systems.qemu.serial import Booted, SerialLog, Trouble

KVM_SILENCE = 30.0  # a KVM guest that said nothing for so long runs on a KVM that does not work
_LONGEST_SOCKET = 107  # bytes: sun_path of unix(7)
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
        drives = (Drive(image, format, hardware.disk),)
        machine = Machine(arch, accel.kind, drives, serial, control, files, ssh, hardware.card)
        check = _Check(machine, MachineHost(processes, threads, clock, network), limit, report)
        try:
            return await check.run()
        except _KvmFailed as failure:
            report.line(f"KVM failed ({failure}); once more by emulation")
            return await replace(check, machine=replace(machine, accel=TCG)).run()
    finally:
        await threads.run(shutil.rmtree, directory, ignore_errors=True)


async def _possible(hardware: Hardware, arch: str, processes: Processes, report: Report) -> Hardware:
    """Returns what this host's qemu has of it; reports what it has not."""
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
    host: MachineHost
    limit: float
    report: Report

    async def run(self) -> BootProof:
        machine = self.machine
        self.report.activity(f"booting the image ({machine.accel}, {machine.drives[0].bus.value})")
        log = SerialLog()
        running = run_machine(machine, self.host, _TITLE, lambda running: self._prove(running, log))
        try:
            return await timeout(self.host.clock, self.limit, running)
        except TimeoutError:
            goal = "SSH server" if isinstance(log.outcome, Booted) else "login prompt"
            raise _failed(f"saw no {goal} in {self.limit:g} s", log) from None
        except MachineEnded as error:
            if machine.accel == KVM and not log.tail():
                raise _KvmFailed(f"qemu {error.end}") from error
            if error.end.ok:
                raise _failed("saw the machine reset or switch itself off", log) from error
            raise CommandFailed("qemu", str(error.end), error.end.tail or log.tail()) from error

    async def _prove(self, running: RunningMachine, log: SerialLog) -> BootProof:
        machine = self.machine
        await self._login(running, log)
        seconds = self.host.clock.seconds() - running.started
        self.report.line(f"login prompt after {seconds:.1f} s")
        banner = await self._banner(running) if machine.ssh else None
        kind = UEFI if machine.firmware else BIOS
        proof = BootProof(seconds, True, banner, kind, machine.drives[0].bus, machine.accel, log.tail())
        await running.quit()
        return proof

    async def _login(self, running: RunningMachine, log: SerialLog) -> None:
        """Until the login prompt; what cannot come to a good end fails at once."""
        begin = self.host.clock.seconds()
        printed = False

        def find(data: bytes) -> Booted | None:
            nonlocal printed
            printed = printed or bool(data)
            outcome = log.feed(data)
            if isinstance(outcome, Trouble):
                raise _failed(f"failed: {outcome.text}", log)
            if not printed and self.machine.accel == KVM and self.host.clock.seconds() - begin > KVM_SILENCE:
                raise _KvmFailed(f"no output for {KVM_SILENCE:g} s")
            return outcome

        await running.watch(find)

    async def _banner(self, running: RunningMachine) -> str:
        """Until the SSH server answers; before it runs, qemu itself accepts the connection and closes it."""
        endpoint = self.host.network.tcp("127.0.0.1", await running.forwarded_port())
        while True:
            try:
                banner = await ssh_banner(endpoint, self.host.clock)
            except ConnectError:
                banner = ""
            if banner:
                self.report.line(f"ssh answers: {banner}")
                return banner
            await sleep(self.host.clock, 1.0)


def _failed(outcome: str, log: SerialLog) -> NotBooting:
    tail = log.tail() or ("(nothing came over the serial port)",)
    return NotBooting(_TITLE, outcome, tail, hint="the lines are the last ones of the machine's serial port")
