"""Lines of the log."""

from pathlib import Path

from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import FactoryError
from imagefactory.service.logs import LogFile, at_least, level_of
from imagefactory.settings import Settings


class LogFileTests(SynchronousTestCase):
    """A log file over its life."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "imagefactory.log"
        self.publisher = LogPublisher()
        self.log = Logger(namespace="imagefactory.jobs", observer=self.publisher)

    def test_a_line_has_level_place_and_job(self) -> None:
        """Everything that one greps for at night is in the line."""
        self.publisher.addObserver(LogFile(self.path))
        self.log.warn("no room on {where}", where="/srv", job="6d9aee26-0a4b")
        self.assertRegex(self.path.read_text(), r"^\d{4}-.* WARN imagefactory.jobs job=6d9aee26: no room on /srv\n$")

    def test_control_characters_are_escaped(self) -> None:
        """What a client sent or a tool printed does nothing to the terminal that shows the log."""
        self.publisher.addObserver(LogFile(self.path))
        self.log.warn("no {path}", path="/\x1b[2J\x07\x9b\u202eb\ta")
        self.assertTrue(self.path.read_text().endswith(": no /\\x1b[2J\\x07\\x9b\\u202eb\ta\n"))

    def test_a_moved_file_is_followed_by_a_new_one(self) -> None:
        """After logrotate has moved the file, reopening goes on under the old name and loses nothing."""
        file = LogFile(self.path)
        self.publisher.addObserver(file)
        self.log.warn("before")
        moved = self.path.rename(self.path.with_suffix(".1"))
        self.log.warn("between")
        file.reopen()
        self.log.warn("after")
        self.assertEqual(len(moved.read_text().splitlines()), 2)
        self.assertIn("after", self.path.read_text())

    def test_what_is_below_the_level_is_left_out(self) -> None:
        """With --verbose there is information, but no debugging and no chatter of libraries."""
        self.publisher.addObserver(at_least(level_of(Settings(verbose=True)), LogFile(self.path)))
        self.log.debug("detail")
        self.log.info("told")
        Logger(namespace="twisted.web.server", observer=self.publisher).info("chatter")
        Logger(namespace="twisted.web.server", observer=self.publisher).error("trouble")
        self.assertEqual([line.split(": ")[-1] for line in self.path.read_text().splitlines()], ["told", "trouble"])

    def test_a_file_that_cannot_be_opened_is_an_error_with_a_way_out(self) -> None:
        """The error names the file and the option."""
        directory = Path(self.mktemp())
        directory.mkdir()
        error = self.assertRaises(FactoryError, LogFile, directory)
        self.assertEqual(error.where, str(directory))
        self.assertIn("--log_file", error.hint)


class LevelTests(SynchronousTestCase):
    """--verbose and --debug."""

    def test_debug_wins(self) -> None:
        """Both given mean everything."""
        self.assertIs(level_of(Settings(verbose=True, debug=True)), LogLevel.debug)
        self.assertIs(level_of(Settings()), LogLevel.warn)
