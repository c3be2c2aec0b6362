"""Readers that go away, and interruptions before the start."""

import os
import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.cli import INTERRUPTED, status, streams
from imagefactory.cli.streams import forgiving


class StreamTests(SynchronousTestCase):
    """Standard output into a pipe."""

    def pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        return reader, writer

    def test_a_reader_that_stays_gets_all(self) -> None:
        """In order, whatever the buffer."""
        reader, writer = self.pipe()
        stream = forgiving(writer, None)
        stream.write("one\n")
        stream.write("two \u2603\n")
        stream.flush()
        self.assertEqual(os.read(reader, 100).decode(), "one\ntwo \u2603\n")
        os.close(reader)

    def test_a_reader_that_goes_disturbs_nothing(self) -> None:
        """What is written afterwards is lost, at the end of the process, too."""
        reader, writer = self.pipe()
        stream = forgiving(writer, None)
        os.close(reader)
        for _ in range(3):
            stream.write("this is not read\n" * 1000)
            stream.flush()
        self.assertEqual(os.readlink(f"/proc/self/fd/{writer}"), os.devnull)

    def test_a_full_disk_is_another_matter(self) -> None:
        """Only readers are forgiven."""
        full = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, full)
        stream = forgiving(full, None)
        self.assertRaises(OSError, stream.buffer.raw.write, b"lost")  # type: ignore[attr-defined]


class StatusTests(SynchronousTestCase):
    """The exit status of a command."""

    def test_an_interruption_before_the_start_is_no_defect(self) -> None:
        """A word and the status that shells expect."""
        self.patch(streams, "forgiving_streams", lambda: None)
        said = StringIO()
        self.patch(sys, "stderr", said)

        def interrupted() -> int:
            raise KeyboardInterrupt

        self.assertEqual(status(interrupted), INTERRUPTED)
        self.assertEqual(said.getvalue(), "imagefactory: SIGINT: nothing was begun\n")
        self.assertEqual(status(lambda: 1), 1)
