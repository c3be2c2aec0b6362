"""/proc, real and made up."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.process.proc import carries, everybody, group_lives, stat


class ProcTests(SynchronousTestCase):
    """Reading processes."""

    def setUp(self) -> None:
        self.proc = Path(self.mktemp())

    def fake(
        self, pid: int, name: str, *, state: str = "S", group: int = 7, started: int = 99, env: bytes = b""
    ) -> Path:
        """A /proc with one more process."""
        proc = self.proc
        (proc / str(pid)).mkdir(parents=True)
        fields = [state, "1", str(group), *["0"] * 16, str(started), "0"]
        (proc / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
        (proc / str(pid) / "environ").write_bytes(env)
        return proc

    def test_ourselves(self) -> None:
        """The real /proc knows this process."""
        me = stat(os.getpid())
        assert me is not None
        self.assertEqual((me.pid, me.group, me.dead), (os.getpid(), os.getpgrp(), False))
        self.assertTrue(group_lives(os.getpgrp()))
        self.assertIn(os.getpid(), {one.pid for one in everybody()})

    def test_nasty_name(self) -> None:
        """A program may be called anything."""
        proc = self.fake(5, "a) Z 1 (b\n) ", started=1234)
        found = stat(5, proc)
        assert found is not None
        self.assertEqual((found.state, found.group, found.started), ("S", 7, 1234))

    def test_no_process(self) -> None:
        """A process that is gone is None."""
        self.assertIsNone(stat(5, Path("nowhere")))

    def test_the_dead_do_not_live(self) -> None:
        """A group of zombies is gone."""
        proc = self.fake(5, "x", state="Z")
        self.assertFalse(group_lives(7, proc))
        self.fake(6, "y")
        self.assertTrue(group_lives(7, proc))
        self.assertFalse(group_lives(8, proc))

    def test_environment(self) -> None:
        """A variable is carried with exactly this value."""
        proc = self.fake(5, "x", env=b"A=1\0RUN=abc\0")
        self.assertTrue(carries(5, b"RUN=abc", proc))
        self.assertFalse(carries(5, b"RUN=ab", proc))
        self.assertFalse(carries(6, b"RUN=abc", proc))
