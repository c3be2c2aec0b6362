"""Which requests were seen."""

import errno
import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Busy
from imagefactory.lib.oauth.memory import LINES, NonceFile
from imagefactory.lib.oauth.nonces import Nonces


class NoncesTests(SynchronousTestCase):
    """The store of nonces."""

    def test_bounded_and_forgetful(self) -> None:
        """Full of living ones it is busy; old ones make room."""
        clock = Clock()
        nonces = Nonces(clock.seconds, 300, most=3)
        for number in range(3):
            nonces.add("key", 0, str(number))
        self.assertRaises(Busy, nonces.add, "key", 0, "3")
        self.assertTrue(nonces.known("key", 0, "0"))
        clock.advance(301)
        nonces.add("key", 301, "3")
        self.assertEqual((len(nonces), nonces.known("key", 0, "0")), (1, False))


class NonceFileTests(SynchronousTestCase):
    """What outlives a process."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.path = Path(self.mktemp())

    def start(self) -> Nonces:
        """As a process does."""
        return Nonces(self.clock.seconds, 300, memory=NonceFile(self.path))

    def test_over_a_restart(self) -> None:
        """Of clients with slow and with fast clocks alike; what is too old to be accepted is forgotten."""
        for timestamp in (999_701, 1_000_000, 1_000_299):
            self.start().add("key", timestamp, 'n"\n')
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.clock.advance(10)
        again = self.start()
        known = [again.known("key", timestamp, 'n"\n') for timestamp in (999_701, 1_000_000, 1_000_299)]
        self.assertEqual(known, [False, True, True])

    def test_a_file_that_was_cut_off(self) -> None:
        """The other lines count."""
        self.start().add("key", 1_000_000, "n")
        with self.path.open("ab") as file:
            file.write(b'["key", 1000\n7\n["a", "b", "c"]\n\xff\n')
        self.assertEqual(len(self.start()), 1)

    def test_it_does_not_grow_for_ever(self) -> None:
        """Old ones are dropped when they are many."""
        nonces = self.start()
        for number in range(3):
            for each in range(LINES // 2):
                nonces.add("key", int(self.clock.seconds()), f"{number}-{each}")
            self.clock.advance(10_000)
        nonces.add("key", int(self.clock.seconds()), "last")
        self.assertLess(self.path.read_bytes().count(b"\n"), LINES * 3)
        self.assertTrue(self.start().known("key", int(self.clock.seconds()), "last"))

    def test_a_disk_that_is_full_for_a_while(self) -> None:
        """What was seen meanwhile is written when there is room, although a line was cut off; it is said each time."""
        nonces = self.start()
        nonces.add("key", 1_000_000, "before")
        write, room = os.write, 7

        def write_little(file: int, data: bytes) -> int:
            nonlocal room
            if not room:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = write(file, data[:room])
            room -= written
            return written

        with capturedLogs() as logged:
            for round in range(2):
                self.patch(os, "write", write_little)
                nonces.add("key", 1_000_000, f"one {round}")
                nonces.add("key", 1_000_000, f"two {round}")
                self.patch(os, "write", write)
                nonces.add("key", 1_000_000, f"after {round}")
        self.assertEqual(len(logged), 2)
        self.assertEqual(len(self.start()), 7)

    def test_a_place_that_cannot_be_written(self) -> None:
        """Keeps nobody out, and is said once."""
        self.path.mkdir()
        nonces = self.start()
        with capturedLogs() as logged:
            for number in range(2):
                nonces.add("key", 1_000_000, str(number))
        self.assertEqual((len(nonces), len(logged)), (2, 1))
