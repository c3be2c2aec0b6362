"""A virtual machine as a value, and qemu's command line for it: pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imagefactory.lib.errors import MissingTool, Unsupported
from imagefactory.systems.qemu.hardware import BIOS, DiskBus, NetworkCard, card_device, disk_devices

PROGRAMS = {"x86_64": "qemu-system-x86_64", "i386": "qemu-system-x86_64", "aarch64": "qemu-system-aarch64"}

_MACHINES = {"x86_64": "q35", "i386": "q35", "aarch64": "virt"}
_TCG_PROCESSORS = {"x86_64": "max", "i386": "max", "aarch64": "max,pauth-impdef=on"}  # else half the time is pauth


@dataclass(frozen=True, slots=True)
class Firmware:
    """UEFI as two flash files: the code, and the variables it starts with."""

    code: Path
    variables: Path


_X86_FIRMWARE = (
    Firmware(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    Firmware(Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
    Firmware(Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
)
_ARM_FIRMWARE = (
    Firmware(Path("/usr/share/AAVMF/AAVMF_CODE.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")),
    Firmware(
        Path("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw"), Path("/usr/share/edk2/aarch64/vars-template-pflash.raw")
    ),
)


@dataclass(frozen=True, slots=True)
class Drive:
    """One disk of a machine.

    Args:
        path: of the image file.
        format: qemu's name of it.
        bus: what the disk hangs on.
        snapshot: whether the file stays as it is, and all writes go to a temporary file of qemu's (in TMPDIR).
    """

    path: Path
    format: str
    bus: DiskBus = DiskBus.VIRTIO
    snapshot: bool = True


@dataclass(frozen=True, slots=True)
class DirectKernel:
    """A kernel that is started without a boot loader.

    Args:
        image: its file on this host.
        initrd: the file of its initrd.
        parameters: its command line.
    """

    image: Path
    initrd: Path | None = None
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine.

    Args:
        arch: the template's name of the architecture.
        accel: qemu's accelerator ("kvm", "tcg").
        drives: the first is the one to boot from.
        serial: a file that gets what the guest says on its serial port.
        control: path of the QMP socket (at most 107 bytes).
        firmware: None is the BIOS.
        ssh: whether port 22 of the guest is a free port on 127.0.0.1 (ask `info usernet` for it); else the machine has
            no network at all.
        card: the network card.
        memory: in MiB.
        kernel: started instead of what is on the drives.
    """

    arch: str
    accel: str
    drives: tuple[Drive, ...]
    serial: Path
    control: Path
    firmware: Firmware | None = None
    ssh: bool = False
    card: NetworkCard = NetworkCard.VIRTIO
    memory: int = 1024
    kernel: DirectKernel | None = None


def firmware(arch: str, kind: str) -> Firmware | None:
    """Returns the files of the firmware `kind` ("bios" or "uefi") for `arch`, None for a BIOS; ARM knows UEFI only.

    Raises MissingTool, Unsupported.
    """
    if arch not in PROGRAMS:
        raise Unsupported(f"machines of {arch} cannot be started", hint=f"architectures are {', '.join(PROGRAMS)}")
    if kind == BIOS and arch != "aarch64":
        return None
    for candidate in _ARM_FIRMWARE if arch == "aarch64" else _X86_FIRMWARE:
        if candidate.code.exists() and candidate.variables.exists():
            return candidate
    package = "qemu-efi-aarch64" if arch == "aarch64" else "ovmf"
    raise MissingTool("UEFI firmware for qemu is not installed", hint=f"install the package {package}")


def argv(machine: Machine) -> tuple[str, ...]:
    """qemu's command line (qemu(1)), with nothing in the machine that is not named here."""
    return (
        PROGRAMS[machine.arch],
        *("-machine", _MACHINES[machine.arch], "-accel", machine.accel, "-cpu", _processor(machine)),
        *("-smp", "1" if machine.accel == "tcg" else "2", "-m", str(machine.memory)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-rtc", "base=utc"),
        *_flash(machine.firmware),
        *_kernel(machine.kernel),
        *(word for place, drive in enumerate(machine.drives) for word in _drive(place, drive)),
        *("-device", "virtio-rng-pci"),
        *(_network(machine.card) if machine.ssh else ()),
        # A file and not a socket: a guest blocks on a serial port whose socket is not read.
        *("-chardev", f"file,id=serial,path={_escaped(machine.serial)}", "-serial", "chardev:serial"),
        *("-qmp", f"unix:{_escaped(machine.control)},server=on,wait=off"),
    )


def _processor(machine: Machine) -> str:
    return "host" if machine.accel == "kvm" else _TCG_PROCESSORS[machine.arch]


def _flash(files: Firmware | None) -> tuple[str, ...]:
    if files is None:
        return ()
    return (
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_escaped(files.code)}"),
        *("-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={_escaped(files.variables)}"),
    )


def _kernel(kernel: DirectKernel | None) -> tuple[str, ...]:
    if kernel is None:
        return ()
    initrd = () if kernel.initrd is None else ("-initrd", str(kernel.initrd))
    return ("-kernel", str(kernel.image), *initrd, "-append", kernel.parameters)


def _drive(place: int, drive: Drive) -> tuple[str, ...]:
    id = f"disk{place}"
    writes = ",snapshot=on" if drive.snapshot else ""
    return (
        *("-drive", f"file={_escaped(drive.path)},format={drive.format},if=none,id={id}{writes}"),
        *disk_devices(drive.bus, id, place),
    )


def _network(card: NetworkCard) -> tuple[str, ...]:
    """Restricted: the guest can be reached, and reaches nothing."""
    return (
        *("-netdev", "user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"),
        *card_device(card),
    )


def _escaped(path: Path) -> str:
    """In qemu's option syntax a comma is written twice."""
    return str(path).replace(",", ",,")
