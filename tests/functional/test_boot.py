"""Real machines: disks that were assembled from a tree are booted, and those that cannot boot are found out."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SkipTest

from imagefactory.lib.errors import CommandFailed
from imagefactory.lib.files.content import content_of
from imagefactory.model.report import Silence
from imagefactory.systems.disk.boot_files import split_parameters
from imagefactory.systems.disk.convert import convert
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.layout import MIB
from imagefactory.systems.qemu.accel import TCG, Acceleration, Host, boot_sector
from imagefactory.systems.qemu.hardware import UEFI, Hardware
from tests.functional.booting import BootCase
from tests.functional.real import RealTestCase
from tests.functional.tiny import tiny_tree


@cache
def shared_tree() -> Path:
    """The tiny system, made once and removed when the tests are over."""
    scratch = TemporaryDirectory(prefix="factory-tiny.")
    atexit.register(scratch.cleanup)
    tree = Path(scratch.name) / "tree"
    tree.mkdir()
    tiny_tree(tree)
    return tree


class BootTests(BootCase):
    """From a tree to a login prompt, under emulation."""

    timeout = 240

    def setUp(self) -> None:
        super().setUp()
        if not shutil.which("qemu-system-x86_64"):
            raise SkipTest("needs qemu-system-x86")
        shutil.copytree(shared_tree(), self.tree, symlinks=True)

    async def test_bios_with_ssh_leaves_the_image_alone(self) -> None:
        """Login prompt and SSH banner come, and the image is what it was."""
        image = await self.disk()
        before = content_of(image)
        proof = await self.boot(image, ssh=True)
        self.assertEqual((proof.login, proof.ssh_banner, proof.accel), (True, "SSH-2.0-tiny", TCG))
        self.assertEqual(content_of(image), before)
        self.assertTrue(any("console=ttyS0,115200n8" in line for line in proof.tail), proof.tail)
        self.nothing_left("disk.raw")

    async def test_uefi_from_a_stream_optimised_vmdk(self) -> None:
        """The same disk boots under UEFI, converted or not."""
        image = self.directory / "disk.vmdk"
        conversion = Conversion("vmdk", {"subformat": "streamOptimized"})
        work = {"processes": self.processes, "threads": self.threads, "report": Silence()}
        await convert(await self.disk(), image, conversion, **work)
        proof = await self.boot(image, "vmdk", hardware=Hardware(firmware=UEFI))
        self.assertEqual((proof.login, proof.ssh_banner, proof.firmware), (True, None, "uefi"))

    async def test_a_newer_kernel_is_found_without_links(self) -> None:
        """Where no package keeps links, the kernel with the newest file and an initrd boots."""
        boot = self.tree / "boot"
        (kernel,) = boot.glob("vmlinuz-*")
        (initrd,) = boot.glob("initrd.img-*")
        (self.tree / "vmlinuz").unlink()
        (self.tree / "initrd.img").unlink()
        shutil.copy2(initrd, boot / "initramfs-9.9.img")
        shutil.copy2(kernel, boot / "vmlinuz-9.9")
        shutil.copy2(kernel, boot / "vmlinuz-unfinished")  # the newest of all, but it has no initrd
        os.utime(boot / "vmlinuz-9.9", (2e9, 2e9))
        os.utime(boot / "vmlinuz-unfinished", (2.1e9, 2.1e9))
        proof = await self.boot(await self.disk(kernel=f"/boot/{kernel.name}", initrd=f"/boot/{initrd.name}"))
        self.assertTrue(any("BOOT_IMAGE=/boot/vmlinuz-9.9" in line for line in proof.tail), proof.tail)

    async def test_what_means_something_to_grub_reaches_the_kernel(self) -> None:
        """Blanks, expansions and commands in parameters arrive as they were given."""
        parameters = split_parameters('tiny="a b; c" x=$y{1}|`z` "d=e f"')
        proof = await self.boot(await self.disk(*parameters))
        self.assertTrue(any('"tiny=a b; c" x=$y{1}|`z` "d=e f"' in line for line in proof.tail), proof.tail)

    async def test_a_panic_fails_at_once(self) -> None:
        """The error has the kernel's last words; no process and no file is left."""
        error = await self.fails(CommandFailed, self.boot(await self.disk("tiny.panic")))
        self.assertIn("the kernel panicked", str(error))
        self.assertIn("Attempted to kill init", str(error))
        self.nothing_left("disk.raw")

    async def test_a_disk_with_nothing_on_it_is_timed_out(self) -> None:
        """Silence ends with the limit, and the error says so."""
        image = self.directory / "empty.raw"
        with image.open("wb") as file:
            file.truncate(16 * MIB)
        error = await self.fails(CommandFailed, self.boot(image, limit=2.0))
        self.assertIn("no login prompt in 2 s", str(error))
        self.nothing_left("empty.raw")

    async def test_qemu_that_dies_at_once_is_reported_at_once(self) -> None:
        """What it said on stderr is the error."""
        image = self.directory / "broken.qcow2"
        image.write_bytes(b"this is no image")
        begin = self.reactor.seconds()
        error = await self.fails(CommandFailed, self.boot(image, "qcow2"))
        self.assertIn("Image is not in qcow2 format", str(error))
        self.assertLess(self.reactor.seconds() - begin, 4.0)

    async def test_cancelling_ends_the_machine(self) -> None:
        """Nothing stays of a boot that was cancelled."""
        work = Deferred.fromCoroutine(self.boot(await self.disk()))
        self.reactor.callLater(2.0, work.cancel)
        await self.assertFailure(work, CancelledError)
        self.nothing_left("disk.raw")
        running = subprocess.run(["pgrep", "-f", str(self.directory)], capture_output=True, check=False)
        self.assertEqual(running.stdout, b"")


class ProbeTests(RealTestCase):
    """The boot sector that tells whether KVM works."""

    async def test_it_comes_to_its_end_under_emulation(self) -> None:
        """The yardstick works, so an answer is always found, and it comes with a reason."""
        if not shutil.which("qemu-system-x86_64"):
            raise SkipTest("needs qemu-system-x86")
        acceleration = Acceleration(
            "auto",
            processes=self.processes,
            threads=self.threads,
            clock=self.reactor,
            tmpdir=self.directory,
            host=lambda: Host("x86_64", True, frozenset({"kvm_intel"})),
        )
        found = await acceleration.choose("x86_64")
        self.assertIn(found.kind, {"kvm", "tcg"})
        self.assertRegex(found.reason, r"emulation: \d")
        self.assertNotIn("emulation: 20", found.reason)

    def test_the_bytes_are_those_of_the_source(self) -> None:
        """probe.hex is what the assembler makes of probe.S."""
        if not shutil.which("as") or not shutil.which("ld"):
            raise SkipTest("needs binutils")
        import imagefactory.systems.qemu

        source = Path(imagefactory.systems.qemu.__file__).with_name("probe.S")
        parts, image = self.directory / "probe.o", self.directory / "probe.img"
        subprocess.run(["as", "--64", "-o", parts, source], check=True)
        link = ["ld", "-m", "elf_x86_64", "-Ttext", "0x7c00", "--oformat", "binary", "-o", image, parts]
        subprocess.run(link, check=True)
        self.assertEqual(image.read_bytes(), boot_sector())
