"""Packing asks tar for what makes a tree bootable again, and leaves nothing unfinished."""

from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from imagefactory.lib.errors import CommandFailed, MissingTool, NoSpace
from imagefactory.lib.process.interface import Command, Privilege
from imagefactory.systems.stages.trees import Trees
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

T = TypeVar("T")


class TreesTests(TestCase):
    """`tar` is played."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.tree, self.packed = self.directory / "tree", self.directory / "tree.tar.zst"
        self.processes = ScriptedProcesses.of(self)
        self.trees = Trees(self.processes, ImmediateThreads(), Privilege(("enter", "--")), total=60)

    def start(self, work: Awaitable[T]) -> Deferred[T]:
        async def run() -> T:
            return await work

        return Deferred.fromCoroutine(run())

    def half_packed(self, command: Command) -> None:
        self.packed.write_bytes(b"half")

    def test_packing_enters_the_namespace_and_keeps_everything(self) -> None:
        """Numeric owners, attributes, holes; what is mounted below stays out."""
        self.processes.expect(r"^enter -- tar --create .*--directory=\S+/tree \.$")
        self.successResultOf(self.start(self.trees.pack(self.tree, self.packed)))
        [command] = self.processes.commands
        for option in ("--numeric-owner", "--xattrs", "--acls", "--sparse", "--one-file-system"):
            self.assertIn(option, command.argv)
        self.assertEqual(command.total, 60)

    def test_a_failed_packing_leaves_no_file(self) -> None:
        """The error is tar's."""
        self.processes.expect("tar --create", effect=self.half_packed, exit=2, lines=["tar: boo"])
        error = self.failureResultOf(self.start(self.trees.pack(self.tree, self.packed)), CommandFailed).value
        self.assertIn("boo", str(error))
        self.assertFalse(self.packed.exists())

    def test_a_full_disk_is_told_with_path_and_bytes(self) -> None:
        """However far it came."""
        line = "zstd: error 70 : Write error : No space left on device (cannot write block)"
        self.processes.expect("tar --create", effect=self.half_packed, exit=2, lines=[line])
        error = self.failureResultOf(self.start(self.trees.pack(self.tree, self.packed)), NoSpace).value
        self.assertEqual(error.where, str(self.packed))
        self.assertIn("(4 bytes)", str(error))

    def test_a_missing_compressor_is_named(self) -> None:
        """tar or its shell starts it, so their words tell."""
        said = ("/bin/sh: 1: zstd: not found", "tar (child): zstd -1 -T0 -q: Cannot exec: No such file or directory")
        for line in said:
            self.processes.expect("tar", exit=2, lines=[line])
            error = self.failureResultOf(self.start(self.trees.pack(self.tree, self.packed)), MissingTool).value
            self.assertIn("zstd", str(error))

    def test_a_cancelled_packing_leaves_no_file(self) -> None:
        """The child is ended first."""
        self.processes.expect("tar --create", effect=self.half_packed, hangs=True)
        packing = self.start(self.trees.pack(self.tree, self.packed))
        packing.cancel()
        self.failureResultOf(packing, CancelledError)
        self.assertFalse(self.packed.exists())
        self.assertEqual(len(self.processes.cancelled), 1)

    def test_a_cancelled_unpacking_leaves_no_tree(self) -> None:
        """What is there belongs to the namespace's ids, so it is removed from within."""
        self.processes.expect("^enter -- tar --extract", hangs=True)
        self.processes.expect("^enter -- rm -rf .*/tree$")
        unpacking = self.start(self.trees.unpack(self.packed, self.tree))
        self.assertTrue(self.tree.is_dir())
        unpacking.cancel()
        self.failureResultOf(unpacking, CancelledError)

    def test_unpacking_over_something_is_refused(self) -> None:
        """And what was there stays."""
        self.tree.mkdir()
        (self.tree / "precious").write_text("")
        self.failureResultOf(self.start(self.trees.unpack(self.packed, self.tree)), FileExistsError)
        self.assertTrue((self.tree / "precious").exists())
