"""fstab and the boot loader's configuration."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.systems.disk.boot_files import boot_files, fstab, grub_config, split_parameters
from imagefactory.systems.disk.grub import early_config
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.disk.layout import root_uuid

SPEC = DiskSpec("x86_64", "/boot/vmlinuz-1", "/boot/initrd.img-1", "seed", kernel_parameters=("quiet", "a.b=c,d"))


class BootFilesTests(SynchronousTestCase):
    """What has to agree with the disk does."""

    def test_all_name_the_same_file_system(self) -> None:
        """fstab, grub.cfg and what GRUB has built in."""
        uuid = str(root_uuid("seed")).encode()
        files = {path: data for path, data, _ in boot_files(SPEC)}
        self.assertIn(b"UUID=" + uuid + b" / ext4 ", files["/etc/fstab"])
        self.assertIn(b"--set=root " + uuid, files["/boot/grub/grub.cfg"])
        self.assertIn(b"root=UUID=" + uuid + b" ro ", files["/boot/grub/grub.cfg"])
        self.assertIn(uuid, early_config(root_uuid("seed")))

    def test_nofail_is_an_option_of_the_root_file_system(self) -> None:
        """Only where it is asked for."""
        self.assertIn(b"errors=remount-ro,nofail 0 1", fstab("seed", nofail=True))
        self.assertNotIn(b"nofail", fstab("seed"))

    def test_the_serial_port_is_the_console(self) -> None:
        """The last console= is /dev/console; the template's parameters come after, to have the last word."""
        config = grub_config("/vmlinuz", "/initrd.img", ("quiet",), "seed").decode()
        self.assertIn("ro console=tty0 console=ttyS0,115200n8 quiet\n", config)
        self.assertIn("serial --unit=0 --speed=115200", config)

    def test_arm_has_its_own_serial_port(self) -> None:
        """Its firmware's console is the serial port already, so GRUB is told nothing about it."""
        files = {path: data.decode() for path, data, _ in boot_files(replace(SPEC, arch="aarch64"))}
        self.assertIn("console=ttyAMA0,115200n8 quiet", files["/boot/grub/grub.cfg"])
        self.assertNotIn("serial --unit", files["/boot/grub/grub.cfg"])

    def test_update_grub_would_keep_the_parameters(self) -> None:
        """Should a boot loader package be installed later."""
        files = {path: data.decode() for path, data, _ in boot_files(SPEC)}
        text = files["/etc/default/grub.d/90-imagefactory.cfg"]
        self.assertIn("GRUB_CMDLINE_LINUX='console=tty0 console=ttyS0,115200n8 quiet a.b=c,d'", text)

    def test_grub_understands_the_configuration(self) -> None:
        """Its own syntax check is content."""
        if not shutil.which("grub-script-check"):
            raise SkipTest("needs grub-common")
        config = grub_config("/vmlinuz", "/initrd.img", ("quiet",), "seed")
        subprocess.run(["grub-script-check"], input=config, check=True)

    def test_parameters_are_split_as_the_kernel_does(self) -> None:
        """Blanks inside of double quotes belong to the value."""
        text = 'quiet  dyndbg="file a.c +p; func b +p"\ta="" "b=c d"'
        self.assertEqual(split_parameters(text), ("quiet", 'dyndbg="file a.c +p; func b +p"', 'a=""', '"b=c d"'))

    def test_what_means_something_to_grub_reaches_the_kernel(self) -> None:
        """GRUB's language is kept off by single quotes; it sets the double quotes for the kernel itself."""
        parameters = split_parameters('dyndbg="file a.c +p; func $b +p" x={1}|`a`')
        files = {path: data.decode() for path, data, _ in boot_files(replace(SPEC, kernel_parameters=parameters))}
        words = "'dyndbg=file a.c +p; func $b +p' 'x={1}|`a`'"
        self.assertIn(f"115200n8 {words}\n", files["/boot/grub/grub.cfg"])
        script = files["/etc/default/grub.d/90-imagefactory.cfg"] + 'printf %s "$GRUB_CMDLINE_LINUX"'
        shell = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
        self.assertTrue(shell.stdout.endswith(words), shell.stdout)

    def test_what_grub_would_take_apart_is_refused(self) -> None:
        """Quotes, expansions, line ends: in parameters and in paths."""
        for bad in ("a'b", 'a"b', 'x="a"b"', "a\nmenuentry", "a\\b", "\x7f"):
            self.assertRaises(InvalidInput, grub_config, "/vmlinuz", "/initrd.img", (bad,), "seed")
        for bad in ("a'b", 'a"b', "$a", "a;b", "a\nmenuentry", "a\\b", "`a`", "a}b"):
            self.assertRaises(InvalidInput, grub_config, f"/{bad}", "/initrd.img", (), "seed")
        self.assertRaises(InvalidInput, grub_config, "vmlinuz", "/initrd.img", (), "seed")
