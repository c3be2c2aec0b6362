"""The files inside a system that have to agree with its disk: fstab and the boot loader's configuration.

Pure functions; what they return is put into the tree through the guest before the disk is assembled.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from imagefactory.lib.errors import InvalidInput
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.disk.layout import root_uuid

_PC_CONSOLES = ("console=tty0", "console=ttyS0,115200n8")  # the last one is /dev/console: clouds show the serial port
_ARM_CONSOLES = ("console=tty0", "console=ttyS0,115200n8", "console=ttyAMA0,115200n8")
GRUB_DIRECTORY = "/boot/grub"
GRUB_CFG = f"{GRUB_DIRECTORY}/grub.cfg"

# A kernel upgrade inside the image must boot without any boot loader package there. Debian and Ubuntu keep the links
# /vmlinuz and /initrd.img on the newest kernel (or the same in /boot); elsewhere the kernel with the newest file
# that has an initrd is it. What was there when the image was built is the last resort.
_GRUB_CFG = """\
# Written by Image Factory. It finds the newest kernel by itself, so kernel upgrades need no boot loader package.
{terminal}set timeout_style=hidden
set timeout=1
set default=0
search --no-floppy --fs-uuid --set=root {uuid}
set kernel={kernel}
set initrd={initrd}
if [ -e /vmlinuz -a -e /initrd.img ]; then
  set kernel=/vmlinuz
  set initrd=/initrd.img
elif [ -e /boot/vmlinuz -a -e /boot/initrd.img ]; then
  set kernel=/boot/vmlinuz
  set initrd=/boot/initrd.img
else
  for candidate in /boot/vmlinuz-*; do
    if regexp --set=1:release '^/boot/vmlinuz-(.*)$' "$candidate"; then
      if [ "$candidate" -nt "$kernel" -a -e "/boot/initramfs-$release.img" ]; then
        set kernel="$candidate"
        set initrd="/boot/initramfs-$release.img"
      fi
    fi
  done
fi
menuentry "Linux" {{
  linux $kernel root=UUID={uuid} ro {parameters}
  initrd $initrd
}}
"""

_PARAMETER = re.compile(r'(?:[^\s"]|"[^"]*"?)+')

# On ARM the firmware's console is the serial port already.
_PC_TERMINAL = """\
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
"""

_DEFAULTS = """\
# Written by Image Factory, for update-grub should a boot loader package be installed later.
GRUB_TIMEOUT=1
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_CMDLINE_LINUX={parameters}
"""


def fstab(seed: str, *, nofail: bool = False) -> bytes:
    """/etc/fstab: the root file system by its UUID.

    `nofail` for clouds that may attach the disk in ways which make a check of it fail.
    """
    options = "defaults,errors=remount-ro" + (",nofail" if nofail else "")
    head = "# <file system> <mount point> <type> <options> <dump> <pass>"
    return f"{head}\nUUID={root_uuid(seed)} / ext4 {options} 0 1\n".encode()


def consoles(arch: str) -> tuple[str, ...]:
    """Returns the kernel parameters that show the system on screen and on the serial port."""
    return _ARM_CONSOLES if arch == "aarch64" else _PC_CONSOLES


def grub_config(kernel: str, initrd: str, parameters: Sequence[str], seed: str, *, arch: str = "x86_64") -> bytes:
    """/boot/grub/grub.cfg: one entry, on serial port and screen, with the consoles before the `parameters`.

    `kernel` and `initrd` are absolute paths in the guest. Raises InvalidInput for what GRUB's language would take
    apart.
    """
    return _GRUB_CFG.format(
        uuid=root_uuid(seed),
        kernel=_path(kernel),
        initrd=_path(initrd),
        parameters=_line((*consoles(arch), *parameters)),
        terminal="" if arch == "aarch64" else _PC_TERMINAL,
    ).encode()


def boot_files(spec: DiskSpec, *, nofail: bool = False) -> tuple[tuple[str, bytes, int], ...]:
    """Returns what has to be in the tree before `assemble`: (absolute path, content, mode)."""
    parameters = _line((*consoles(spec.arch), *spec.kernel_parameters))
    return (
        ("/etc/fstab", fstab(spec.seed, nofail=nofail), 0o644),
        (GRUB_CFG, grub_config(spec.kernel, spec.initrd, spec.kernel_parameters, spec.seed, arch=spec.arch), 0o644),
        (
            "/etc/default/grub.d/90-imagefactory.cfg",
            _DEFAULTS.format(parameters=shlex.quote(parameters)).encode(),
            0o644,
        ),
    )


def split_parameters(text: str) -> tuple[str, ...]:
    """The kernel parameters in `text`, as the kernel takes them apart: at blanks that are not in double quotes."""
    return tuple(_PARAMETER.findall(text))


def demand_parameters(text: str) -> None:
    """Raise InvalidInput for kernel parameters that no boot loader could hand over."""
    _line(split_parameters(text))


def _line(parameters: Sequence[str]) -> str:
    """Kernel parameters on one line of GRUB's language, which is quoted like a shell's."""
    return " ".join(shlex.quote(_word(parameter)) for parameter in parameters)


def _word(parameter: str) -> str:
    """One parameter as GRUB has to be given it.

    GRUB puts double quotes around a word with blanks in it, as the kernel wants them, and a backslash before each
    quote or backslash inside, which the kernel does not take away again (grub-core/lib/cmdline.c).
    """
    value = parameter.partition("=")[2]
    word = parameter
    for quoted in (parameter, value):
        if len(quoted) > 1 and quoted[0] == quoted[-1] == '"':
            word = parameter.removesuffix(quoted) + quoted[1:-1]
    if not word.isprintable() or set(word) & set("'\"\\"):
        raise InvalidInput(
            f"kernel parameter {parameter!r} cannot be given to the boot loader",
            where="kernel parameters",
            hint='leave out control characters, \\, \' and ", except for a pair of " around a value or a parameter',
        )
    return word


def _path(path: str) -> str:
    if not path.startswith("/") or not path.isprintable() or set(path) & set(" '\"`$\\;|&<>{}*?"):
        raise InvalidInput(f"{path!r} is no path the boot loader can load")
    return path
