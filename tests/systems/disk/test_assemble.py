"""The steps from a tree to a disk, without the tools."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, CommandFailed, NoSpace, Unsupported
from imagefactory.lib.process.interface import Command, Privilege
from imagefactory.model.report import Silence
from imagefactory.systems.disk import assemble as module
from imagefactory.systems.disk import grub
from imagefactory.systems.disk.assemble import assemble
from imagefactory.systems.disk.interface import DiskSpec
from imagefactory.systems.disk.layout import MIB
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

SPEC = DiskSpec("x86_64", "/vmlinuz", "/initrd.img", "seed", size=200 * MIB)


class AssembleTests(SynchronousTestCase):
    """What is run as whom, and what is left."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        modules = self.directory / "grub"
        for platform in ("i386-pc", "x86_64-efi"):
            (modules / platform).mkdir(parents=True)
            (modules / platform / "kernel.img").touch()
        (modules / "i386-pc" / "boot.img").write_bytes(bytes(512))
        self.patch(grub, "MODULES", modules)
        self.out = self.directory / "out"
        self.out.mkdir()
        self.processes = ScriptedProcesses.of(self)

    def start(self, spec: DiskSpec = SPEC) -> Deferred[None]:
        return Deferred.fromCoroutine(
            assemble(
                self.directory / "tree",
                self.out / "disk.raw",
                spec,
                processes=self.processes,
                privilege=Privilege(("as-root",)),
                threads=ImmediateThreads(),
                report=Silence(),
            )
        )

    def measured(self, size: int = 50 * MIB) -> None:
        self.processes.expect("^as-root sh -c")
        self.processes.expect("^as-root du .*--block-size=1", lines=[f"{size}\t/tree"])
        self.processes.expect("^as-root du .*--inodes", lines=["1000\t/tree"])

    def left(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())

    def test_the_disk_appears_when_all_is_done(self) -> None:
        """Only the file system is made as the tree's root; everything else needs no rights."""
        self.measured()
        self.processes.expect("^sfdisk .*--no-tell-kernel ")
        self.processes.expect("^as-root mkfs.ext4 .*-d .*/tree .*disk.raw 168960k$")
        self.processes.expect("^grub-mkimage .*i386-pc.img", effect=lambda command: image(command, bytes(1024)))
        self.processes.expect("^grub-mkimage .*x86_64-efi.img")
        self.processes.expect("^mkfs.vfat .*--offset 4096 ")
        self.processes.expect("^mmd .*disk.raw@@2097152 ")
        self.processes.expect("^mcopy .*BOOTX64.EFI$")
        self.successResultOf(self.start())
        self.assertEqual(self.left(), ["disk.raw"])
        self.assertEqual((self.out / "disk.raw").stat().st_size, 200 * MIB)

    def test_a_failing_tool_leaves_nothing(self) -> None:
        """Its error is what comes out."""
        self.measured()
        self.processes.expect("^sfdisk", exit=1, lines=["sfdisk: failed"])
        self.failureResultOf(self.start(), CommandFailed)
        self.assertEqual(self.left(), [])

    def test_a_full_disk_is_told_apart(self) -> None:
        """With the path of the disk and the bytes of the tree."""
        self.measured()
        self.processes.expect("^sfdisk")
        self.processes.expect("mkfs.ext4", exit=1, lines=["mkfs.ext4: No space left on device while writing"])
        self.processes.expect("^grub-mkimage", hangs=True)
        error = self.failureResultOf(self.start(), NoSpace).value
        self.assertIn(f"{50 * MIB} bytes", str(error))
        self.assertEqual(self.left(), [])

    def test_cancelling_leaves_nothing(self) -> None:
        """The tool is ended and the unfinished disk removed before the cancellation is passed on."""
        self.measured()
        self.processes.expect("^sfdisk")
        self.processes.expect("mkfs.ext4", hangs=True)
        self.processes.expect("^grub-mkimage", hangs=True)
        work = self.start()
        self.assertEqual(len(self.left()), 1)
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.assertEqual(self.left(), [])

    def test_a_tree_that_does_not_fit_is_refused_before_anything_is_made(self) -> None:
        """Both sizes are named."""
        self.measured(300 * MIB)
        error = self.failureResultOf(self.start(), BuildFailed).value
        self.assertRegex(str(error), "disk of 200 MiB .* system of 300 MiB")
        self.assertEqual(self.left(), [])

    def test_a_tree_that_the_file_system_cannot_take_is_refused_at_once(self) -> None:
        """Not after minutes of writing."""
        self.measured()
        self.patch(module, "free_bytes", lambda _: 49 * MIB)
        error = self.failureResultOf(self.start(), NoSpace).value
        self.assertIn("disk.raw", error.where)

    def test_a_tree_without_kernel_is_refused(self) -> None:
        """The error says which file is missing."""
        self.processes.expect("^as-root sh -c", exit=1, lines=["/tree/vmlinuz is missing"])
        error = self.failureResultOf(self.start(), BuildFailed).value
        self.assertIn("/tree/vmlinuz is missing", str(error))

    def test_an_unknown_architecture_is_refused(self) -> None:
        """Before anything is run."""
        spec = DiskSpec("s390x", "/vmlinuz", "/initrd.img", "seed")
        self.failureResultOf(self.start(spec), Unsupported)
        self.assertEqual(self.processes.commands, [])


def image(command: Command, content: bytes) -> None:
    """Write what grub-mkimage would write."""
    Path(command.argv[command.argv.index("--output") + 1]).write_bytes(content)
