"""Full file systems, and how large a tree is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, NoSpace
from imagefactory.lib.process.interface import Privilege
from imagefactory.systems.disk import space
from imagefactory.systems.disk.layout import TreeSize
from imagefactory.systems.disk.space import full_disk, tells_of_full_disk
from imagefactory.systems.disk.tree_size import tree_size
from imagefactory.testing.processes import ScriptedProcesses


class SpaceTests(SynchronousTestCase):
    """One error for a full disk."""

    def raising(self, number: int) -> None:
        with full_disk(Path("/images/disk.raw"), 1 << 20):
            raise OSError(number, os.strerror(number))

    def test_no_space_and_no_quota_are_the_same(self) -> None:
        """Path, bytes and what to do are in the error."""
        for number in (errno.ENOSPC, errno.EDQUOT):
            error = self.assertRaises(NoSpace, self.raising, number)
            self.assertEqual(error.where, "/images/disk.raw")
            self.assertIn("1048576 bytes", str(error))
            self.assertIn("imgdir", error.hint)

    def test_a_file_that_is_too_large_is_no_defect(self) -> None:
        """File systems and ulimit have their limits: path, bytes and what to do are in the error."""
        error = self.assertRaises(BuildFailed, self.raising, errno.EFBIG)
        self.assertEqual(error.where, "/images/disk.raw")
        self.assertIn("1048576 bytes", str(error))
        self.assertIn("ulimit", error.hint)

    def test_other_errors_stay_what_they_are(self) -> None:
        """A missing permission is no full disk."""
        self.assertRaises(PermissionError, self.raising, errno.EACCES)

    def test_a_tools_words_are_understood(self) -> None:
        """Whatever their case."""
        self.patch(space, "free_bytes", lambda _: 1 << 40)
        self.assertTrue(tells_of_full_disk(["a", "dd: writing 'x': No space left on device"], Path("/x")))
        self.assertFalse(tells_of_full_disk(["permission denied"], Path("/x")))

    def test_a_tool_that_only_says_input_output_error_is_understood(self) -> None:
        """The file system itself knows."""
        self.patch(space, "free_bytes", lambda _: 4096)
        self.assertTrue(tells_of_full_disk(["Input/output error while writing out"], Path("/x")))


class TreeSizeTests(SynchronousTestCase):
    """du is asked, as the tree's root."""

    def measure(self, *answers: str) -> Deferred[TreeSize]:
        processes = ScriptedProcesses()
        for answer in answers:
            processes.expect("^as-root du --summarize --one-file-system", lines=[answer])
        work = tree_size(Path("/tree"), processes=processes, privilege=Privilege(("as-root",)))
        return Deferred.fromCoroutine(work)

    def test_bytes_and_files(self) -> None:
        """From two runs."""
        self.assertEqual(self.successResultOf(self.measure("4096\t/tree", "17\t/tree")), TreeSize(4096, 17))

    def test_another_answer_is_an_error(self) -> None:
        """And is shown."""
        error = self.failureResultOf(self.measure("du: what?"), BuildFailed).value
        self.assertIn("du: what?", str(error))
