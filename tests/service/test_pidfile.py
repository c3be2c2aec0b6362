"""The pid file."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.lib.process.proc import stat
from imagefactory.service.pidfile import PidFile


class PidFileTests(SynchronousTestCase):
    """Who is running."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.pidfile = PidFile(self.path)

    def test_it_names_this_process_in_its_first_line(self) -> None:
        """Scripts read the pid from line one; the file goes away with us."""
        self.pidfile.write()
        self.assertEqual(self.path.read_text().splitlines()[0], str(os.getpid()))
        self.pidfile.check()
        self.pidfile.remove()
        self.assertFalse(self.path.exists())

    def test_a_living_writer_is_an_obstacle(self) -> None:
        """Another process that still runs is named."""
        parent = stat(os.getppid())
        assert parent is not None
        self.path.write_text(f"{parent.pid}\n{parent.started}\n")
        self.assertIn(str(parent.pid), self.assertRaises(Conflict, self.pidfile.check).message)
        self.pidfile.remove()
        self.assertTrue(self.path.exists(), "the file of another process stays")

    def test_a_recycled_pid_is_no_obstacle(self) -> None:
        """A living process with another start time did not write the file; nor did garbage."""
        for text in (f"{os.getppid()}\n1\n", "", "hello\nworld\n", "12345678\n0\n"):
            with self.subTest(text=text):
                self.path.write_text(text)
                self.pidfile.check()

    def test_a_place_that_cannot_be_written_is_an_error_with_a_way_out(self) -> None:
        """The error names the option."""
        self.path.write_text("a file")
        error = self.assertRaises(FactoryError, PidFile(self.path / "pid").write)
        self.assertIn("--pid_file", error.hint)
