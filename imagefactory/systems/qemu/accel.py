"""Whether KVM can be believed.

/dev/kvm may exist and be of a kind that runs stock guests far slower than emulation, or not at all. So the question is
not "is it there" but "is it at least about as quick as emulation", which a boot sector shows in about a second.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Unsupported
from imagefactory.lib.process.interface import Command, Processes

KVM = "kvm"
TCG = "tcg"
_PROVEN = 33  # isa-debug-exit turns the 0x10 that the boot sector writes into this exit status
_SHORTEST_LIMIT = 1.5  # seconds; a healthy KVM needs a tenth of it
_TCG_LIMIT = 20.0
_NATIVE = {"x86_64": {"x86_64", "i386"}, "aarch64": {"aarch64"}}


@dataclass(frozen=True, slots=True)
class Accel:
    """What a machine runs on (`kvm` or `tcg`), and why."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Host:
    """What can be seen without trying: the processor, whether /dev/kvm may be opened, kernel modules (loaded or built
    in)."""

    machine: str
    device: bool
    modules: frozenset[str]


def look() -> Host:
    """Returns the host as it is."""
    device = os.access("/dev/kvm", os.R_OK | os.W_OK)
    modules = Path("/sys/module")
    names = frozenset(path.name for path in modules.glob("kvm*")) if modules.is_dir() else frozenset[str]()
    return Host(platform.machine(), device, names)


def objection(host: Host, arch: str) -> str | None:
    """Why KVM is out of the question for guests of `arch`, or None if it is worth a try."""
    if arch not in _NATIVE.get(host.machine, set()):
        return f"{arch} is not native on {host.machine}"
    if not host.device:
        return "/dev/kvm cannot be opened for reading and writing"
    if "kvm_pvm" in host.modules and not host.modules & {"kvm_intel", "kvm_amd"}:
        return "this kernel's KVM (pvm) only runs guests that were made for it"
    return None


class Acceleration:
    """Decides between KVM and emulation, once for each architecture as long as this object lives.

    `wish` is auto, or kvm or tcg to be believed without a test.
    """

    _log = Logger()

    def __init__(
        self,
        wish: str,
        *,
        processes: Processes,
        threads: Threads,
        clock: Clock,
        tmpdir: Path,
        host: Callable[[], Host] = look,
    ) -> None:
        self._wish = wish
        self._processes = processes
        self._threads = threads
        self._clock = clock
        self._tmpdir = tmpdir
        self._host = host
        self._lock = DeferredLock()
        self._known: dict[str, Accel] = {}

    async def choose(self, arch: str) -> Accel:
        """Returns what to run a guest of `arch` (TDL's spelling) on.

        Raises MissingTool (qemu is not installed), Unsupported (kvm is demanded for a foreign architecture).
        """
        await self._lock.acquire()
        try:
            if arch not in self._known:
                self._known[arch] = found = await self._find(arch)
                self._log.info(
                    "guests of {arch} run on {kind}: {reason}", arch=arch, kind=found.kind, reason=found.reason
                )
            return self._known[arch]
        finally:
            self._lock.release()

    async def _find(self, arch: str) -> Accel:
        host = await self._threads.run(self._host)
        reason = objection(host, arch)
        if self._wish == KVM and arch not in _NATIVE.get(host.machine, set()):
            raise Unsupported(f"KVM cannot run {arch} on {host.machine}", hint="set accel to auto or tcg")
        if self._wish != "auto":
            return Accel(self._wish, "demanded by the setting accel")
        if reason is not None:
            return Accel(TCG, reason)
        if host.machine != "x86_64":
            return Accel(KVM, "/dev/kvm is there (no test is known for this architecture)")
        return await self._try()

    async def _try(self) -> Accel:
        directory = Path(await self._threads.run(mkdtemp, prefix="kvm-probe.", dir=self._tmpdir))
        try:
            image = directory / "probe.img"
            await self._threads.run(lambda: image.write_bytes(boot_sector()))
            return await self._compare(image)
        finally:
            await self._threads.run(shutil.rmtree, directory, ignore_errors=True)

    async def _compare(self, image: Path) -> Accel:
        yardstick = await self._time(TCG, image, _TCG_LIMIT) or _TCG_LIMIT
        limit = max(_SHORTEST_LIMIT, 3 * yardstick)
        seconds = await self._time(KVM, image, limit)
        if seconds is None:
            return Accel(TCG, f"KVM did not run a boot sector in {limit:.1f} s (emulation: {yardstick:.2f} s)")
        return Accel(KVM, f"KVM ran a boot sector in {seconds:.2f} s (emulation: {yardstick:.2f} s)")

    async def _time(self, kind: str, image: Path, limit: float) -> float | None:
        """Seconds until the boot sector proved itself, None if it did not in time."""
        begin = self._clock.seconds()
        end = await self._processes.run(Command(probe_argv(kind, image, limit), f"trying {kind}"))
        return self._clock.seconds() - begin if end.code == _PROVEN else None


def boot_sector() -> bytes:
    """Returns the 512 bytes of probe.S, assembled."""
    return bytes.fromhex(files(__package__).joinpath("probe.hex").read_text())


def probe_argv(kind: str, image: Path, limit: float) -> tuple[str, ...]:
    """The command line of the probe; killed at once when its time is over, as a virtual processor that is stuck in the
    kernel may not care about less."""
    machine = ("-machine", "pc", "-accel", kind, "-cpu", "qemu64", "-m", "16", "-nodefaults", "-no-user-config")
    quiet = ("-display", "none", "-no-reboot", "-drive", f"file={_escaped(image)},format=raw,if=ide")
    result = ("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04")
    return ("timeout", "--signal=KILL", f"{limit:.1f}", "qemu-system-x86_64", *machine, *quiet, *result)


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")
