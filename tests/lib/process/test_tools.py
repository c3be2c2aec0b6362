"""Tools: what is missing and where to get it."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import MissingTool
from imagefactory.lib.process.interface import Privilege
from imagefactory.lib.process.layers import within
from imagefactory.lib.process.tools import find_tool, programs


class ToolsTests(SynchronousTestCase):
    """External programs."""

    def test_finds_on_the_given_path_only(self) -> None:
        """Our own PATH does not count."""
        self.assertTrue(find_tool("sh", "/usr/bin:/bin").endswith("/sh"))
        self.assertRaises(MissingTool, find_tool, "sh", "/nonexistent")

    def test_missing_tool_names_its_package(self) -> None:
        """The hint can be typed."""
        error = self.assertRaises(MissingTool, find_tool, "qemu-img", "/nonexistent")
        self.assertEqual(
            (error.message, error.hint), ("the program qemu-img is not installed", "apt-get install qemu-utils")
        )

    def test_unknown_program(self) -> None:
        """Without a known package the hint still says what to do."""
        error = self.assertRaises(MissingTool, find_tool, "frobnicate", "/nonexistent")
        self.assertIn("frobnicate", error.hint)

    def test_programs_behind_fronts(self) -> None:
        """A program is named also behind unshare and setpriv, and nothing behind others."""
        argv = ("unshare", "--user", "--", "/usr/bin/setpriv", "--", "mkfs.ext4", "-d", "--", "tree")
        self.assertEqual(list(programs(argv)), ["unshare", "/usr/bin/setpriv", "mkfs.ext4"])
        self.assertEqual(list(programs(("unshare", "--", "chroot", "tree", "--", "apt-get"))), ["unshare", "chroot"])
        self.assertEqual(list(programs(("unshare", "sh"))), ["unshare"])
        laid = within(Path("/room/root"), Privilege()).argv("mkfs.ext4", "-d", "--", "tree")
        self.assertEqual(list(programs(laid)), ["unshare", "sh", "mkfs.ext4"])
