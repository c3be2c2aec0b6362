"""What it means that a file could not be written."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import CommandFailed, NoSpace
from imagefactory.systems.guests.interface import File
from imagefactory.systems.guests.writing import batches, not_written

MARK = "imagefactory: not written: /srv/a file"


def failed(*tail: str) -> CommandFailed:
    """A batch that ended with these lines."""
    return CommandFailed("writing 3 files", "ended with exit status 2", tail)


class NotWrittenTests(SynchronousTestCase):
    """The shell's words become an error with path and hint."""

    def test_the_path_and_what_to_do(self) -> None:
        """The shell's own words stay."""
        for words, hint in (
            ("sh: 7: cannot create /srv/a file: Is a directory", "a directory of that name"),
            ("mkdir: cannot create directory '/srv': File exists", "no directory in the system"),
            ("mkdir: cannot create directory '/srv/x': Not a directory", "no directory in the system"),
            ("sh: 7: cannot create /srv/a file: Too many levels of symbolic links", "in a circle"),
            ("sh: 7: cannot create /srv/a file: File name too long", "255"),
            ("sh: 7: cannot create /srv/a file: Operation not permitted", "choose another"),
        ):
            error = not_written(failed(words, MARK))
            expected = f"writing /srv/a file in the system ended with exit status 2\n  | {words}"
            self.assertEqual(str(error), expected)
            self.assertIn(hint, error.hint)

    def test_a_full_disk(self) -> None:
        """Is an error of its own."""
        error = not_written(failed("base64: write error: No space left on device", MARK))
        self.assertIsInstance(error, NoSpace)
        self.assertEqual(error.where, "/srv/a file")
        self.assertIn("imgdir", error.hint)

    def test_other_failures_stay_what_they_are(self) -> None:
        """The tree that cannot be entered, a shell that was killed."""
        for error in (failed("unshare: Operation not permitted"), failed(), failed(MARK, "and then something else")):
            self.assertIs(not_written(error), error)


class BatchTests(SynchronousTestCase):
    """Files in pieces."""

    def test_no_file_is_lost_and_no_piece_empty(self) -> None:
        """A file larger than a piece is one by itself."""
        files = [File(f"/{number}", b"x" * size) for number, size in enumerate((9, 2 << 20, 9, 9))]
        self.assertEqual([[file.path for file in one] for one in batches(files)], [["/0"], ["/1"], ["/2", "/3"]])
        self.assertEqual(list(batches([])), [])
