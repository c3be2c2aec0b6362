"""Images are read by their data; holes are not read."""

import os
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.targets.images import reading, whole
from imagefactory.testing.threads import HeldThreads, ImmediateThreads

MIB = 1 << 20


class ReaderTests(SynchronousTestCase):
    """`ImageFileReader` over a sparse file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        with self.path.open("wb") as file:
            file.truncate(4 * MIB)
            for start in (MIB, 3 * MIB):
                file.seek(start)
                file.write(b"data")

    def test_extents(self) -> None:
        """They cover the data, in order, and leave the holes out; all together it is the file."""

        async def read() -> tuple[int, tuple[tuple[int, int], ...], bytes, bytes]:
            async with reading(self.path, ImmediateThreads()) as reader:
                return reader.size, reader.extents, await reader.read(MIB, 4), await whole(reader)

        size, extents, data, everything = self.successResultOf(Deferred.fromCoroutine(read()))
        self.assertEqual((4 * MIB, b"data", self.path.read_bytes()), (size, data, everything))
        self.assertEqual([MIB, 3 * MIB], [start for start, _ in extents])
        self.assertLess(sum(length for _, length in extents), MIB)

    def test_a_file_that_ends_early(self) -> None:
        """It is an error, not a short image."""

        async def read() -> bytes:
            async with reading(self.path, ImmediateThreads()) as reader:
                os.truncate(self.path, 10)
                return await reader.read(MIB, 4)

        self.failureResultOf(Deferred.fromCoroutine(read()), OSError)

    def test_a_cancelled_opening_leaves_no_descriptor(self) -> None:
        """The file is closed again."""
        threads = HeldThreads(1)

        async def read() -> None:
            async with reading(self.path, threads):
                self.fail("this was cancelled")

        before = len(os.listdir("/proc/self/fd"))
        work = Deferred.fromCoroutine(read())
        work.cancel()
        threads.let_go()
        self.failureResultOf(work, CancelledError)
        self.assertEqual(before, len(os.listdir("/proc/self/fd")))
