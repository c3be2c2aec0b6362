"""Which architectures this host can run, natively or through qemu-user."""

from __future__ import annotations

import platform
from pathlib import Path

from imagefactory.lib.errors import Unsupported
from imagefactory.model.template import Arch

BINFMT = Path("/proc/sys/fs/binfmt_misc")

#: Machine (uname -m) to what it runs by itself.
NATIVE = {
    "x86_64": {Arch.X86_64, Arch.I386},
    "i686": {Arch.I386},
    "aarch64": {Arch.AARCH64},
}
EMULATED = {Arch.AARCH64: "qemu-aarch64"}  # those that `systems.disk` can make bootable


class Hosts:
    """This host; `machine` and `binfmt` are given in tests."""

    def __init__(self, machine: str = "", binfmt: Path = BINFMT) -> None:
        self._machine = machine or platform.machine()
        self._binfmt = binfmt

    def demand(self, arch: Arch) -> None:
        """Unsupported, with the reason, if programs of this architecture cannot run here."""
        if arch in NATIVE.get(self._machine, set()):
            return
        if arch not in EMULATED:
            raise Unsupported(
                f"images for {arch} cannot be made on {self._machine}",
                where="os/arch",
                hint="x86_64 and i386 are made natively, aarch64 also by emulation",
            )
        self._demand_emulator(arch)

    def _demand_emulator(self, arch: Arch) -> None:
        """The kernel must have opened the emulator itself (flag F), or it is not found inside the tree (Linux,
        Documentation/admin-guide/binfmt-misc.rst)."""
        try:
            entry = (self._binfmt / EMULATED[arch]).read_text()
        except OSError:
            entry = ""
        flags = next((line for line in entry.splitlines() if line.startswith("flags:")), "")
        if not entry.startswith("enabled") or "F" not in flags.partition(":")[2]:
            raise Unsupported(
                f"this host has no emulator for {arch}",
                where="os/arch",
                hint="install qemu-user-static and binfmt-support, with binfmt_misc mounted",
            )
