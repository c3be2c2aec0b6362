"""A machine that runs: what it prints, how it ends."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, NoSpace, TimedOut
from imagefactory.lib.process.interface import Exit
from imagefactory.systems.qemu.machine import Drive, Machine
from imagefactory.systems.qemu.running import MachineEnded, MachineHost, Network, RunningMachine, run_machine
from imagefactory.testing.threads import ImmediateThreads
from tests.systems.qemu.fakes import Control, FakeQemu

OFF = {"event": "SHUTDOWN", "data": {"guest": True, "reason": "guest-shutdown"}}
RESET = {"event": "SHUTDOWN", "data": {"guest": True, "reason": "guest-reset"}}


class RunningTests(SynchronousTestCase):
    """One machine, played by the test."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.qemu = FakeQemu()
        self.control = Control(self.qemu)
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.machine = Machine("x86_64", "tcg", (Drive(Path("/a"), "raw"),), directory / "serial", directory / "qmp")

    def start(self, work: Callable[[RunningMachine], Awaitable[Any]]) -> Deferred[Any]:
        """Run the machine with this work; its control connection is there."""
        network = Network(unix=lambda _: self.control, tcp=lambda *_: self.control)
        host = MachineHost(self.qemu, ImmediateThreads(), self.clock, network)  # type: ignore[arg-type]
        running = Deferred.fromCoroutine(run_machine(self.machine, host, "test", work))
        self.advance(0.1)
        return running

    def advance(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    def test_a_pattern(self) -> None:
        """Found across reads and through escape sequences; then the machine is ended."""
        work = self.start(lambda running: running.wait_for(re.compile(r"Step (\d+) done")))
        self.qemu.say("Step 1 beg\nSt\x1b[1mep ")
        self.advance(1)
        self.assertNoResult(work)
        self.qemu.say("7 done")
        self.advance(0.5)
        self.assertEqual("7", self.successResultOf(work)[1])
        self.assertEqual(1, self.qemu.cancelled)

    def test_silence(self) -> None:
        """Counted from the last thing that was printed."""
        work = self.start(lambda running: running.wait_for(re.compile("x"), silence=10))
        self.advance(9)
        self.qemu.say("a")
        self.advance(9)
        self.assertNoResult(work)
        self.advance(2)
        self.assertIn("nothing for 10 seconds", str(self.failureResultOf(work, TimedOut).value))
        self.assertEqual(1, self.qemu.cancelled)

    def test_the_guest_switches_itself_off(self) -> None:
        """All that it printed until then has been handed over."""
        printed: list[bytes] = []
        work = self.start(lambda running: running.wait_for_shutdown(printed.append))
        self.qemu.say("one ")
        self.advance(1)
        self.qemu.say("two")
        self.control.say(OFF)
        self.qemu.end(Exit(0, None))
        self.advance(1)
        self.successResultOf(work)
        self.assertEqual((b"one two", 0), (b"".join(printed), self.qemu.cancelled))

    def test_other_ends_are_no_shutdown(self) -> None:
        """A reset, a death after the word, and an end without a word."""
        for words, end in (([RESET], Exit(0, None)), ([OFF], Exit(1, None)), ([], Exit(0, None))):
            work = self.start(lambda running: running.wait_for_shutdown())
            for word in words:
                self.control.say(word)
            self.qemu.end(end)
            self.advance(1)
            self.assertEqual(end, self.failureResultOf(work, MachineEnded).value.end)
            self.control = Control(self.qemu)

    def test_the_power_button(self) -> None:
        """Pressed once; the guest obeys."""

        async def press(running: RunningMachine) -> None:
            await running.power_down()
            await running.wait_for_shutdown()

        work = self.start(press)
        self.assertIn("system_powerdown", self.control.commands)
        self.control.say(OFF)
        self.qemu.end(Exit(0, None))
        self.advance(1)
        self.successResultOf(work)

    def test_an_end_that_was_not_asked_for(self) -> None:
        """It interrupts the work, whatever that waits for."""
        never: Deferred[None] = Deferred()
        work = self.start(lambda _: never)
        self.qemu.end(Exit(0, None))
        self.advance(1)
        self.failureResultOf(work, MachineEnded)

    def test_a_full_disk(self) -> None:
        """qemu has stopped the guest by then."""
        work = self.start(lambda running: running.wait_for_shutdown())
        self.control.say({"event": "BLOCK_IO_ERROR", "data": {"nospace": True, "action": "stop"}})
        self.advance(0.5)
        self.failureResultOf(work, NoSpace)
        self.assertEqual(1, self.qemu.cancelled)

    def test_failing_and_cancelled_work(self) -> None:
        """The machine is ended once, and the failure is the work's."""

        async def fail(_running: RunningMachine) -> None:
            raise BuildFailed("no")

        self.failureResultOf(self.start(fail), BuildFailed)
        self.control = Control(self.qemu)
        work = self.start(lambda running: running.wait_for_shutdown())
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.assertEqual(2, self.qemu.cancelled)

    def test_the_plug(self) -> None:
        """A machine that was told to end is not killed."""
        self.successResultOf(self.start(lambda running: running.quit()))
        self.assertEqual(0, self.qemu.cancelled)

    def test_the_forwarded_port(self) -> None:
        """As the monitor tells it."""
        self.assertEqual(40123, self.successResultOf(self.start(lambda running: running.forwarded_port())))
