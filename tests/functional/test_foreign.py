"""Disks for other architectures than this host's, with GRUB and kernels of Debian, on machines of theirs."""

from __future__ import annotations

import atexit
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from imagefactory.systems.disk import grub
from imagefactory.systems.disk.layout import layout
from imagefactory.systems.qemu import machine
from tests.functional.booting import BootCase
from tests.functional.debs import Debs
from tests.functional.tiny import tiny_tree


@cache
def scratch() -> Path:
    """A directory for all tests, removed when they are over."""
    directory = TemporaryDirectory(prefix="factory-foreign.")
    atexit.register(directory.cleanup)
    return Path(directory.name)


@cache
def shared_tree(arch: str) -> Path:
    """The tiny system of this architecture, made once."""
    tree = scratch() / arch / "tree"
    tree.mkdir(parents=True)
    tiny_tree(tree, arch)
    return tree


class ForeignCase(BootCase):
    """Has the tree of its architecture."""

    timeout = 300

    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(shared_tree(self.arch), self.tree, symlinks=True)

    def esp(self, disk: Path) -> list[str]:
        """The files on the EFI system partition."""
        offset = layout(disk.stat().st_size, "boot").esp.offset
        argv = ["mdir", "-i", f"{disk}@@{offset}", "-b", "-/", "::/"]
        listed = subprocess.run(argv, check=False, capture_output=True, text=True).stdout  # "not found" if it is empty
        return [path for path in listed.split() if not path.endswith("/")]


class I386Tests(ForeignCase):
    """A 32-bit PC."""

    arch = "i386"

    async def test_it_boots_under_bios(self) -> None:
        """Login prompt and SSH banner of a 32-bit kernel; nothing promises UEFI, whose partition is empty."""
        disk = await self.disk()
        self.assertEqual(self.esp(disk), [])
        proof = await self.boot(disk, ssh=True)
        self.assertEqual((proof.login, proof.ssh_banner, proof.firmware), (True, "SSH-2.0-tiny", "bios"))


class Aarch64Tests(ForeignCase):
    """An ARM server."""

    arch = "aarch64"

    def setUp(self) -> None:
        super().setUp()
        self.patch(grub, "MODULES", self.there("grub-efi-arm64-bin", self.arch) / "usr/lib/grub")

    @staticmethod
    @cache
    def there(package: str, arch: str) -> Path:
        """The files of a package."""
        directory = scratch() / f"{package}-{arch}"
        directory.mkdir()
        return Debs(directory, arch).unpacked(package)

    async def test_it_boots_from_the_removable_path(self) -> None:
        """Firmware that knows nothing of the disk finds GRUB, GRUB the kernel, and its console is the serial port."""
        disk = await self.disk()
        self.assertEqual(self.esp(disk), ["::/EFI/BOOT/BOOTAA64.EFI"])
        qemu = self.there("qemu-system-arm", "x86_64") / "usr/bin/qemu-system-aarch64"
        files = self.there("qemu-efi-aarch64", "x86_64") / "usr/share/AAVMF"
        firmware = machine.Firmware(files / "AAVMF_CODE.fd", files / "AAVMF_VARS.fd")
        self.patch(machine, "_ARM_FIRMWARE", (firmware,))
        with patch.dict(machine.PROGRAMS, aarch64=str(qemu)):
            proof = await self.boot(disk, ssh=True, limit=240.0)
        self.assertEqual((proof.login, proof.ssh_banner, proof.firmware), (True, "SSH-2.0-tiny", "uefi"))
        self.assertTrue(any("console=ttyAMA0,115200n8" in line for line in proof.tail), proof.tail)
