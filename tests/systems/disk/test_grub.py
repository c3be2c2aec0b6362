"""GRUB's images, patched."""

from __future__ import annotations

import struct
from pathlib import Path
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, MissingTool, Unsupported
from imagefactory.systems.disk.grub import BIOS, boot_sector, core_image, demand, mkimage, platforms
from imagefactory.systems.disk.layout import Partition

CORE = Partition("bios", "", 2048, 2048, UUID(int=0))


class GrubTests(SynchronousTestCase):
    """Where the numbers go."""

    def test_the_boot_sector_loads_the_core_partition(self) -> None:
        """Its sector is at 0x5c, the drive check is two NOPs, the partition table's bytes are left alone."""
        code = boot_sector(b"\xaa" * 512, CORE)
        self.assertEqual(len(code), 440)
        self.assertEqual(struct.unpack_from("<Q", code, 0x5C), (2048,))
        self.assertEqual(code[0x66:0x68], b"\x90\x90")
        self.assertEqual(code[:0x5C] + code[0x68:], b"\xaa" * (440 - 12))

    def test_the_core_image_knows_where_its_rest_is(self) -> None:
        """The sector after its first, at 0x1f4; nothing else changes."""
        image = core_image(b"\xaa" * 2000, CORE)
        self.assertEqual(struct.unpack_from("<Q", image, 0x1F4), (2049,))
        self.assertEqual(image.replace(struct.pack("<Q", 2049), b"\xaa" * 8), b"\xaa" * 2000)

    def test_wrong_sizes_are_refused(self) -> None:
        """A core image larger than its partition, a boot image that is none."""
        self.assertRaises(BuildFailed, core_image, bytes(CORE.size + 1), CORE)
        self.assertRaises(BuildFailed, boot_sector, b"short", CORE)

    def test_architectures_have_their_platforms(self) -> None:
        """PCs boot both ways, ARM by UEFI; others are refused by name."""
        self.assertEqual([one.name for one in platforms("x86_64")], ["i386-pc", "x86_64-efi"])
        self.assertEqual([one.efi for one in platforms("aarch64")], ["BOOTAA64.EFI"])
        error = self.assertRaises(Unsupported, platforms, "s390x")
        self.assertIn("s390x", str(error))

    def test_missing_modules_name_their_package(self) -> None:
        """Before anything is made."""
        error = self.assertRaises(MissingTool, demand, platforms("aarch64"), Path(self.mktemp()))
        self.assertIn("grub-efi-arm64-bin", error.hint)

    def test_the_command_line_uses_our_configuration(self) -> None:
        """And what GRUB needs to find the file system is built in."""
        argv = mkimage(BIOS, Path("/early.cfg"), Path("/core.img"), Path("/modules"))
        self.assertEqual(argv[argv.index("--config") + 1], "/early.cfg")
        self.assertTrue({"part_gpt", "ext2", "search_fs_uuid", "biosdisk", "regexp"} < set(argv))
