"""The pid file."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.service.pidfile import PidFile


class PidFileTests(SynchronousTestCase):
    """Who is running."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.pidfile = PidFile(self.path)

    def test_it_names_this_process_and_nothing_else(self) -> None:
        """One line with one number, for `kill $(cat FILE)`, that all may read; the file goes away with us."""
        self.pidfile.write()
        self.assertEqual(self.path.read_text(), f"{os.getpid()}\n")
        self.assertEqual(self.path.stat().st_mode & 0o777 | 0o600, self.path.stat().st_mode & 0o777)
        self.pidfile.check()
        self.pidfile.remove()
        self.assertEqual(list(self.path.parent.glob(f"*{self.path.name}*")), [])

    def test_a_living_writer_is_an_obstacle(self) -> None:
        """Another daemon that still runs is named, and its file stays."""
        self.pidfile.write()
        other = PidFile(self.path)
        self.assertIn(str(os.getpid()), self.assertRaises(Conflict, other.check).message)
        other.remove()
        self.assertTrue(self.path.exists())
        self.pidfile.remove()
        other.check()

    def test_a_stale_file_is_no_obstacle(self) -> None:
        """What a killed daemon or an older version left, whichever process has its pid now; what is no pid file."""
        for text in (f"{os.getppid()}\n", f"{os.getppid()}\n1\n", "", "hello\nworld\n"):
            with self.subTest(text=text):
                self.path.write_text(text)
                self.pidfile.check()
        self.path.unlink()
        self.path.mkdir()
        self.pidfile.check()

    def test_a_file_that_another_one_took_over(self) -> None:
        """Stays when we end."""
        self.pidfile.write()
        other = PidFile(self.path)
        other.write()
        self.pidfile.remove()
        self.assertTrue(self.path.exists())
        self.assertRaises(Conflict, PidFile(self.path).check)
        other.remove()
        self.assertFalse(self.path.exists())

    def test_a_place_that_cannot_be_written_is_an_error_with_a_way_out(self) -> None:
        """The error names the option."""
        self.path.write_text("a file")
        error = self.assertRaises(FactoryError, PidFile(self.path / "pid").write)
        self.assertIn("--pid_file", error.hint)
