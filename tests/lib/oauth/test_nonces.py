"""Which requests were seen."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Busy
from imagefactory.lib.oauth.memory import LINES, NonceFile
from imagefactory.lib.oauth.nonces import Nonces
from imagefactory.testing.threads import ImmediateThreads

P = ParamSpec("P")
T = TypeVar("T")


class NonceCase(SynchronousTestCase):
    """Adds nonces."""

    def add(self, nonces: Nonces, client: str, timestamp: int, nonce: str) -> None:
        """What is added is recorded at once here."""
        self.successResultOf(Deferred.fromCoroutine(nonces.add(client, timestamp, nonce)))


class NoncesTests(NonceCase):
    """The store of nonces."""

    def test_bounded_and_forgetful(self) -> None:
        """Full of living ones it is busy; old ones make room."""
        clock = Clock()
        nonces = Nonces(clock.seconds, 300, most=3)
        for number in range(3):
            self.add(nonces, "key", 0, str(number))
        self.failureResultOf(Deferred.fromCoroutine(nonces.add("key", 0, "3")), Busy)
        self.assertTrue(nonces.known("key", 0, "0"))
        clock.advance(301)
        self.add(nonces, "key", 301, "3")
        self.assertEqual((len(nonces), nonces.known("key", 0, "0")), (1, False))


class NonceFileTests(NonceCase):
    """What outlives a process."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.path = Path(self.mktemp())

    def opened(self) -> NonceFile:
        """The file, as a process finds it."""
        return self.successResultOf(Deferred.fromCoroutine(NonceFile.open(self.path, ImmediateThreads())))

    def start(self) -> Nonces:
        """As a process does."""
        return Nonces(self.clock.seconds, 300, memory=self.opened())

    def test_over_a_restart(self) -> None:
        """Of clients with slow and with fast clocks alike; what is too old to be accepted is forgotten."""
        for timestamp in (999_701, 1_000_000, 1_000_299):
            self.add(self.start(), "key", timestamp, 'n"\n')
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.clock.advance(10)
        again = self.start()
        known = [again.known("key", timestamp, 'n"\n') for timestamp in (999_701, 1_000_000, 1_000_299)]
        self.assertEqual(known, [False, True, True])

    def test_a_file_that_was_cut_off(self) -> None:
        """The other lines count."""
        self.add(self.start(), "key", 1_000_000, "n")
        with self.path.open("ab") as file:
            file.write(b'["key", 1000\n7\n["a", "b", "c"]\n\xff\n')
        self.assertEqual(len(self.start()), 1)

    def test_it_does_not_grow_for_ever(self) -> None:
        """Old ones are dropped when they are many."""
        nonces = self.start()
        for number in range(3):
            for each in range(LINES // 2):
                self.add(nonces, "key", int(self.clock.seconds()), f"{number}-{each}")
            self.clock.advance(10_000)
        self.add(nonces, "key", int(self.clock.seconds()), "last")
        self.assertLess(self.path.read_bytes().count(b"\n"), LINES * 3)
        self.assertTrue(self.start().known("key", int(self.clock.seconds()), "last"))

    def test_a_disk_that_is_full_for_a_while(self) -> None:
        """What was seen meanwhile is written when there is room, also after half a line; each time is logged."""
        nonces = self.start()
        self.add(nonces, "key", 1_000_000, "before")
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
                self.add(nonces, "key", 1_000_000, f"one {round}")
                self.add(nonces, "key", 1_000_000, f"two {round}")
                self.patch(os, "write", write)
                self.add(nonces, "key", 1_000_000, f"after {round}")
        self.assertEqual(len(logged), 2)
        self.assertEqual(len(self.start()), 7)

    def test_a_place_that_cannot_be_written(self) -> None:
        """Refuses no client, and is logged once."""
        self.path.mkdir()
        nonces = self.start()
        with capturedLogs() as logged:
            for number in range(2):
                self.add(nonces, "key", 1_000_000, str(number))
        self.assertEqual((len(nonces), len(logged)), (2, 1))

    def test_written_together_and_before_the_request_is_acted_on(self) -> None:
        """What comes while the file is written waits for the next write, which has all of it; each is known at once."""
        threads = HeldThreads()
        nonces = Nonces(self.clock.seconds, 300, memory=NonceFile(self.path, threads))
        adding = [Deferred.fromCoroutine(nonces.add("key", 1_000_000, str(number))) for number in range(4)]
        self.assertTrue(nonces.known("key", 1_000_000, "3"))
        self.assertEqual(self.opened_lines(), 0)
        threads.go_on()
        self.successResultOf(adding[0])
        self.assertNoResult(adding[1])
        threads.go_on()
        for one in adding[1:]:
            self.successResultOf(one)
        self.assertEqual((self.opened_lines(), threads.calls), (4, 2))

    def test_closed_when_all_is_written(self) -> None:
        """So that a stopped daemon has forgotten nothing."""
        threads = HeldThreads()
        file = NonceFile(self.path, threads)
        recording = Deferred.fromCoroutine(file.record(("key", 1_000_000, "n"), ()))
        recording.addErrback(lambda _: None)
        recording.cancel()
        closing = Deferred.fromCoroutine(file.close())
        self.assertNoResult(closing)
        threads.go_on()
        self.successResultOf(closing)
        self.assertEqual(self.opened_lines(), 1)

    def opened_lines(self) -> int:
        """How many nonces another process would find."""
        return len(list(self.opened().recall()))


class HeldThreads:
    """Threads in which a call waits until the test lets it go on."""

    def __init__(self) -> None:
        self.calls = 0
        self._waiting: list[Deferred[None]] = []

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `Threads.run`."""
        self._waiting.append(Deferred())
        await self._waiting[-1]
        self.calls += 1
        return function(*args, **kwargs)

    def go_on(self) -> None:
        """Make the oldest call."""
        self._waiting.pop(0).callback(None)
