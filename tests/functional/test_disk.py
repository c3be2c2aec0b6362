"""Disks made by the real tools: what is on them, and what happens when there is no room."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SkipTest

from imagefactory.lib.errors import BuildFailed, NoSpace
from imagefactory.lib.files.content import content_of
from imagefactory.lib.files.holes import data_size
from imagefactory.model.report import Report, Silence
from imagefactory.systems.disk.assemble import assemble
from imagefactory.systems.disk.boot_files import boot_files
from imagefactory.systems.disk.convert import convert
from imagefactory.systems.disk.interface import Conversion, DiskSpec
from imagefactory.systems.disk.layout import MIB, layout, needed, root_uuid, smallest_disk
from imagefactory.systems.disk.tree_size import tree_size
from tests.functional.real import RealTestCase

SPEC = DiskSpec("x86_64", "/boot/vmlinuz", "/boot/initrd", "a seed", size=200 * MIB)


def output(*argv: str) -> str:
    """What a program prints."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class DiskTestCase(RealTestCase):
    """Has a tree that only looks bootable."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = self.directory / "tree"
        self.disk = self.directory / "out" / "disk.raw"
        self.disk.parent.mkdir()
        for path, data, mode in boot_files(SPEC):
            self.put(path, data, mode)
        self.put("/boot/vmlinuz", os.urandom(3 * MIB))
        self.put("/boot/initrd", os.urandom(2 * MIB))

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        target = self.tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(mode)

    async def make(self, spec: DiskSpec = SPEC, disk: Path | None = None) -> None:
        await assemble(
            self.tree,
            disk or self.disk,
            spec,
            processes=self.processes,
            privilege=self.privilege,
            threads=self.threads,
            report=Silence(),
        )

    def left(self) -> list[str]:
        return sorted(path.name for path in self.disk.parent.iterdir())


class AssembleTests(DiskTestCase):
    """A tree becomes a disk."""

    async def test_partitions_are_where_the_layout_says(self) -> None:
        """sfdisk reads back the table that was planned, ids included."""
        await self.make()
        table = json.loads(output("sfdisk", "--json", str(self.disk)))["partitiontable"]
        plan = layout(200 * MIB, "a seed")
        self.assertEqual(table["id"].lower(), str(plan.id))
        self.assertEqual(
            [(part["start"], part["size"], part["uuid"].lower()) for part in table["partitions"]],
            [(part.start, part.sectors, str(part.id)) for part in (plan.bios, plan.esp, plan.root)],
        )
        self.assertEqual(self.disk.stat().st_size, plan.size)
        self.assertEqual(self.left(), ["disk.raw"])

    async def test_the_root_file_system_is_sound_and_has_the_files(self) -> None:
        """e2fsck has nothing to say, the UUID is the one fstab names, owners and modes are those of the tree."""
        if os.getuid():
            raise SkipTest("only root can give a file to another user")
        self.put("/etc/shadow", b"secret", 0o640)
        os.chown(self.tree / "etc" / "shadow", 0, 42)
        await self.make()
        where = f"{self.disk}?offset={layout(200 * MIB, 'a seed').root.offset}"
        output("e2fsck", "-fn", where)
        self.assertIn(str(root_uuid("a seed")), output("dumpe2fs", "-h", where))
        stat = output("debugfs", "-R", "stat /etc/shadow", where)
        self.assertRegex(stat, r"Mode:\s+0640")
        self.assertRegex(stat, r"Group:\s+42")

    async def test_holes_stay_holes(self) -> None:
        """Apart from the files hardly anything of the disk is data, however large it is."""
        await self.make(replace(SPEC, size=3 << 30))
        self.assertLess(data_size(self.disk), 12 * MIB)

    async def test_equal_input_makes_equal_disks(self) -> None:
        """The same tree and seed give the same bytes."""
        digests = []
        for _ in range(3):
            await self.make()
            digests.append(content_of(self.disk))
            self.disk.unlink()
        self.assertEqual(digests[1], digests[2])  # the first one was the first to read the tree: access times

    async def test_many_small_files_find_their_inodes(self) -> None:
        """A tree with far more files than one per 16 KiB fits."""
        for number in range(12_000):  # a disk of this size has 10,560 inodes by default
            path = self.tree / "srv" / str(number % 100) / str(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        await self.make()
        self.assertEqual(self.left(), ["disk.raw"])

    async def test_too_small_a_disk_is_refused(self) -> None:
        """The error names both sizes, and nothing is left."""
        self.put("/srv/data", os.urandom(180 * MIB))
        error = await self.fails(BuildFailed, self.make())
        self.assertIn("200 MiB", str(error))
        self.assertRegex(str(error), r"system of 18\d MiB")
        self.assertEqual(self.left(), [])

    async def test_the_smallest_size_that_is_named_is_enough(self) -> None:
        """The estimate is on the safe side of what mke2fs really needs, and not far off."""
        for number in range(3000):
            path = self.tree / "srv" / str(number % 50) / str(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * (number % 9000))
        self.put("/srv/large", os.urandom(60 * MIB))
        size = await tree_size(self.tree, processes=self.processes, privilege=self.privilege)
        smallest = smallest_disk(needed(size))
        await self.make(replace(SPEC, size=smallest))
        self.assertLess(smallest, size.bytes * 2)

    async def test_a_tree_without_kernel_is_refused(self) -> None:
        """It is found out before a disk is made."""
        (self.tree / "boot" / "vmlinuz").unlink()
        error = await self.fails(BuildFailed, self.make())
        self.assertIn("vmlinuz is missing", str(error))

    async def test_cancelling_leaves_nothing(self) -> None:
        """Whenever the cancellation comes, no file stays."""
        for moment in (0.0, 0.05, 0.2, 0.4):
            work = Deferred.fromCoroutine(self.make())
            cancelling = self.reactor.callLater(moment, work.cancel)
            try:
                await work
                self.disk.unlink()  # it was quicker
            except CancelledError:
                pass
            if cancelling.active():
                cancelling.cancel()
            self.assertEqual(self.left(), [])


class FullDiskTests(DiskTestCase):
    """No room on the file system of the destination."""

    def setUp(self) -> None:
        super().setUp()
        if os.getuid():
            raise SkipTest("only root can mount a small file system")
        self.small = self.directory / "small"
        self.small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.small], check=False).returncode:
            raise SkipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", self.small], check=True)

    async def test_assemble_names_the_path_and_the_bytes(self) -> None:
        """A tree that cannot fit is refused before the work."""
        error = await self.fails(NoSpace, self.make(disk=self.small / "disk.raw"))
        self.assertIn("disk.raw", str(error))
        self.assertRegex(str(error), r"\d{7} bytes")
        self.assertEqual(list(self.small.iterdir()), [])

    async def test_assemble_that_runs_out_of_room_in_the_middle(self) -> None:
        """What the tools say then is understood as a full disk, and nothing is left."""
        (self.small / "ballast").write_bytes(bytes(MIB))
        for name in ("boot/vmlinuz", "boot/initrd"):
            (self.tree / name).write_bytes(os.urandom(MIB + 300_000))
        error = await self.fails(NoSpace, self.make(disk=self.small / "disk.raw"))
        self.assertIn("no space left", str(error))
        self.assertEqual([path.name for path in self.small.iterdir()], ["ballast"])

    async def test_convert_that_runs_out_of_room(self) -> None:
        """qemu-img's complaint becomes NoSpace; the unfinished file is gone."""
        source = self.directory / "source.raw"
        source.write_bytes(os.urandom(8 * MIB))
        for kind in ("qcow2", "raw"):
            work = convert(
                source,
                self.small / "image",
                Conversion(kind),
                processes=self.processes,
                threads=self.threads,
                report=Silence(),
            )
            error = await self.fails(NoSpace, work)
            self.assertIn(str(8 * MIB), str(error))
            self.assertEqual(list(self.small.iterdir()), [])


class _AtFirstProgress(Silence):
    """Does something once, when the first progress is heard: the work has begun and has not ended."""

    then: Callable[[], None] | None = None

    def progress(self, percent: float) -> None:
        del percent
        then, self.then = self.then, None
        if then is not None:
            then()


class ConvertTests(DiskTestCase):
    """qemu-img makes what the clouds want, and the content stays what it was."""

    CONVERSIONS = (
        Conversion("raw"),
        Conversion("qcow2", {"compression_type": "zstd"}, compress=True),
        Conversion("qcow2", {"compat": "0.10"}),
        Conversion("vmdk", {"subformat": "streamOptimized"}),
        Conversion("vpc", {"subformat": "dynamic"}),
        Conversion("vpc", {"subformat": "fixed", "force_size": "on"}),
    )

    async def test_every_format_has_the_same_content(self) -> None:
        """qemu-img compare finds no difference, and no format stores the holes."""
        await self.make()
        for number, conversion in enumerate(self.CONVERSIONS):
            image = self.disk.parent / f"image-{number}"
            await self.convert(image, conversion)
            output("qemu-img", "compare", "-f", "raw", "-F", conversion.format, str(self.disk), str(image))
            if conversion.format in {"qcow2", "vmdk"}:
                output("qemu-img", "check", "-f", conversion.format, str(image))
            self.assertLess(image.stat().st_blocks * 512, 24 * MIB)

    async def test_cancelling_leaves_nothing(self) -> None:
        """The unfinished file goes with the cancellation."""
        self.disk.write_bytes(os.urandom(256 * MIB))
        report = _AtFirstProgress()
        image = self.disk.parent / "image"
        work = Deferred.fromCoroutine(self.convert(image, self.CONVERSIONS[3], report))
        report.then = work.cancel
        await self.assertFailure(work, CancelledError)
        self.assertEqual(self.left(), ["disk.raw"])

    async def convert(self, image: Path, conversion: Conversion, report: Report | None = None) -> None:
        kept = report or Silence()
        await convert(self.disk, image, conversion, processes=self.processes, threads=self.threads, report=kept)
