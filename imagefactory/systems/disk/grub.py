"""GRUB without grub-install, which needs block devices: its images are made by grub-mkimage and put in place by hand.

The offsets are those of GRUB's own sources (include/grub/i386/pc/boot.h, include/grub/offsets.h, GRUB 2.06 and 2.12);
they have been the same since GRUB 2.00.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from imagefactory.lib.errors import BuildFailed, MissingTool, Unsupported
from imagefactory.systems.disk.layout import SECTOR, Partition

MODULES = Path("/usr/lib/grub")

_COMMON = (
    *("part_gpt", "ext2", "fat", "normal", "configfile", "search", "search_fs_uuid", "linux", "echo", "test", "regexp"),
    *("ls", "cat", "gzio", "minicmd", "sleep", "reboot", "halt", "all_video", "gfxterm", "loadenv"),
)

_BOOT_CODE = 440  # the rest of sector 0 belongs to the partition table
_KERNEL_SECTOR = 0x5C  # GRUB_BOOT_MACHINE_KERNEL_SECTOR, 64 bits
_DRIVE_CHECK = 0x66  # GRUB_BOOT_MACHINE_DRIVE_CHECK: two NOPs make it trust the BIOS
_BLOCK_LIST = SECTOR - 12  # of the first sector of core.img: 64-bit sector of the rest


@dataclass(frozen=True, slots=True)
class Platform:
    """One way firmware starts GRUB; `package` has its modules, `efi` is where UEFI looks for it (empty: BIOS)."""

    name: str
    package: str
    modules: tuple[str, ...]
    efi: str = ""


BIOS = Platform("i386-pc", "grub-pc-bin", (*_COMMON, "biosdisk", "serial", "terminal"))
_EFI_X86_64 = Platform("x86_64-efi", "grub-efi-amd64-bin", (*_COMMON, "serial", "terminal"), "BOOTX64.EFI")
_EFI_AARCH64 = Platform("arm64-efi", "grub-efi-arm64-bin:arm64", (*_COMMON, "terminal", "fdt"), "BOOTAA64.EFI")

# i386 guests are usually started by 64-bit firmware, which their kernel cannot be entered from: BIOS is what they use.
_PLATFORMS = {"x86_64": (BIOS, _EFI_X86_64), "i386": (BIOS,), "aarch64": (_EFI_AARCH64,)}


def platforms(arch: str) -> tuple[Platform, ...]:
    """Returns what is put on a disk of this architecture (TDL's spelling); Unsupported for what has no GRUB here."""
    try:
        return _PLATFORMS[arch]
    except KeyError:
        raise Unsupported(
            f"no boot loader is known for {arch}", hint=f"architectures are {', '.join(_PLATFORMS)}"
        ) from None


def early_config(root: UUID) -> bytes:
    """Returns the configuration in the image itself: find the file system, and read the configuration there."""
    return (
        f"search --no-floppy --fs-uuid --set=root {root}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    ).encode()


def mkimage(platform: Platform, config: Path, output: Path, modules: Path) -> tuple[str, ...]:
    """Returns the command line that makes the image."""
    directory = str(modules / platform.name)
    options = ("--format", platform.name, "--directory", directory, "--prefix", "/boot/grub")
    return ("grub-mkimage", *options, "--config", str(config), "--output", str(output), *platform.modules)


def demand(needed: Sequence[Platform], modules: Path) -> None:
    """Raise MissingTool for the first platform whose modules are not installed on this host."""
    for platform in needed:
        if not (modules / platform.name / "kernel.img").exists():
            raise MissingTool(
                f"GRUB's modules for {platform.name} are not installed",
                where=str(modules / platform.name),
                hint=f"install the package {platform.package}",
            )


def boot_sector(boot_image: bytes, core: Partition) -> bytes:
    """Returns the boot code for sector 0, which loads the first sector of `core`."""
    if len(boot_image) != SECTOR:
        raise BuildFailed(f"GRUB's boot.img has {len(boot_image)} bytes instead of {SECTOR}")
    code = bytearray(boot_image)
    struct.pack_into("<Q", code, _KERNEL_SECTOR, core.start)
    code[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    return bytes(code[:_BOOT_CODE])


def core_image(image: bytes, core: Partition) -> bytes:
    """core.img for its partition: its first sector is told where the others are."""
    if len(image) > core.size:
        raise BuildFailed(f"GRUB's core image has {len(image)} bytes, its partition {core.size}")
    patched = bytearray(image)
    struct.pack_into("<Q", patched, _BLOCK_LIST, core.start + 1)
    return bytes(patched)
