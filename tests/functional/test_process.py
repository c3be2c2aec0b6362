"""Real child processes: what ends, what is left, what is known of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from imagefactory.lib.concurrency.clock import sleep
from imagefactory.lib.errors import CommandFailed, TimedOut
from imagefactory.lib.process.child import EndTimeouts
from imagefactory.lib.process.interface import Command, Exit, Privilege
from imagefactory.lib.process.proc import carries, everybody, group_lives
from imagefactory.lib.process.reap import reap
from imagefactory.lib.process.supervise import TwistedProcesses, base_environment
from imagefactory.lib.process.watchdog import Watchdog
from imagefactory.testing.threads import ImmediateThreads

MARK = "IMAGEFACTORY_TEST"


def marked(mark: str) -> list[int]:
    """All living processes that were started with our mark in their environment."""
    return [one.pid for one in everybody() if not one.dead and carries(one.pid, f"{MARK}={mark}".encode())]


def descriptors() -> set[str]:
    """Our open files (number and what it is)."""
    links = Path("/proc/self/fd")
    return {f"{number} {os.readlink(links / number)}" for number in os.listdir(links) if (links / number).is_symlink()}


class ProcessCase(TestCase):
    """With real processes that carry a mark, so that none is missed."""

    async def setUp(self) -> None:
        self.mark = f"{os.getpid()}-{self.id()}"
        env = {**base_environment(Path("/"), Path("/tmp")), MARK: self.mark}
        self.env = env
        self.processes = TwistedProcesses(
            reactor, reactor, base_env=env, timeouts=EndTimeouts(grace=0.5, linger=0.3, backup=5)
        )
        await self.processes.run(self.shell("true"))  # the reactor opens a pipe for SIGCHLD with the first child
        self.before = descriptors()
        self.addCleanup(self.nothing_left)

    def nothing_left(self) -> None:
        """No process and no open file of ours remains."""
        self.assertEqual(marked(self.mark), [])
        self.assertEqual(descriptors() - self.before, set())

    def shell(self, script: str, **options: object) -> Command:
        """A command that runs `script`."""
        return Command(("sh", "-c", script), "the script", **options)  # type: ignore[arg-type]

    async def until(self, condition: object) -> None:
        """Look again until it is so (these tests have real processes, and so real time)."""
        for _ in range(500):
            if condition():  # type: ignore[operator]
                return
            await sleep(reactor, 0.02)
        self.fail("it did not come to that")


class RealTests(ProcessCase):
    """Everyday."""

    async def test_output_input_and_status(self) -> None:
        """What goes in and out is what was said, in the order it was said."""
        lines: list[str] = []
        script = "echo one; echo two >&2; printf 'three\\r'; cat; exit 7"
        outcome = await self.processes.run(self.shell(script, stdin="ü\n".encode()), lines.append)
        self.assertEqual(lines, ["one", "two", "three", "ü"])
        self.assertEqual(outcome, Exit(7, None, ("one", "two", "three", "ü")))

    async def test_leader_of_its_own_group_and_session(self) -> None:
        """A Ctrl-C at our terminal does not hit children."""
        answer = await self.processes.output(self.shell("echo $$; ps -o pgid=,sid= -p $$"))
        self.assertEqual(len(set(answer.split())), 1)

    async def test_environment(self) -> None:
        """Nothing of ours leaks in."""
        answer = await self.processes.output(self.shell("env", env={"EXTRA": "1"}))
        names = {line.partition("=")[0] for line in answer.splitlines()} - {"PWD", "_", "SHLVL", "OLDPWD"}
        self.assertEqual(names, {"PATH", "LANG", "HOME", "TMPDIR", "EXTRA", MARK})

    async def test_directory(self) -> None:
        """A working directory is entered, and a program that is not there is found missing all the same."""
        self.assertEqual(await self.processes.output(self.shell("pwd", cwd=Path("/usr"))), "/usr\n")

    async def test_any_amount_of_output(self) -> None:
        """Tens of megabytes are read line by line and not kept."""
        count = 0

        def reader(line: str) -> None:
            nonlocal count
            count += 1

        outcome = await self.processes.check(self.shell("yes 0123456789 | head -n 2000000"), reader)
        self.assertEqual((count, len(outcome.tail)), (2_000_000, 20))

    async def test_endless_line(self) -> None:
        """Output without any line end is delivered in bounded pieces."""
        longest = 0

        def reader(line: str) -> None:
            nonlocal longest
            longest = max(longest, len(line))

        await self.processes.check(self.shell("head -c 5000000 /dev/zero | tr '\\0' x"), reader)
        self.assertEqual(longest, 16_384)

    async def test_input_that_is_not_read(self) -> None:
        """A child that exits without reading a large input is no trouble."""
        await self.processes.check(self.shell("exit 0", stdin=b"x" * 1_000_000))

    async def test_too_long_a_command_line(self) -> None:
        """What the kernel refuses to start is an error like others."""
        with self.assertRaises(CommandFailed):
            await self.processes.check(Command(("echo", "x" * 3_000_000), "a long echo"))

    async def test_many(self) -> None:
        """A hundred runs leave no open file and no process."""
        for _ in range(100):
            await self.processes.check(self.shell("true"))


class EndingTests(ProcessCase):
    """Not everyday."""

    async def ended_by_cancel(self, script: str) -> float:
        """Seconds it took to cancel `script` (twice) after it said that it is up."""
        run: Deferred[Exit]
        started = Deferred[None]()
        run = Deferred.fromCoroutine(
            self.processes.run(self.shell(script), lambda line: started.callback(None) if line == "up" else None)
        )
        await started
        begin = time.monotonic()
        run.cancel()
        await sleep(reactor, 0.01)
        run.cancel()
        with self.assertRaises(CancelledError):
            await run
        self.assertEqual(marked(self.mark), [])
        return time.monotonic() - begin

    async def test_cancel(self) -> None:
        """An ordinary child ends at once."""
        self.assertLess(await self.ended_by_cancel("echo up; sleep 60"), 0.4)

    async def test_cancel_of_one_that_ignores_term(self) -> None:
        """It is killed after its grace, with the children that ignore TERM, too."""
        self.assertGreater(await self.ended_by_cancel("trap '' TERM; sleep 60 & echo up; sleep 60; sleep 60"), 0.4)

    async def test_cancel_of_a_pipeline(self) -> None:
        """Every one of the group ends."""
        await self.ended_by_cancel("(sleep 60 & sleep 61 & wait) | (sleep 62; cat) | (echo up; sleep 63)")

    async def test_grandchild_that_holds_the_output(self) -> None:
        """The run ends soon after the child, and the grandchild with it."""
        begin = time.monotonic()
        self.assertTrue((await self.processes.run(self.shell("sleep 60 & exit 0"))).ok)
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(marked(self.mark), [])

    async def test_quiet_grandchild(self) -> None:
        """One that holds nothing is ended, too."""
        self.assertTrue((await self.processes.run(self.shell("sleep 60 >/dev/null 2>&1 & exit 0"))).ok)
        self.assertEqual(marked(self.mark), [])

    async def test_grandchild_in_its_own_session_does_not_hold_the_run(self) -> None:
        """It escapes the group (and is left to journal and namespaces), but the run ends."""
        pids: list[str] = []
        script = "setsid sleep 60 & echo $!; exit 0"
        self.assertTrue((await self.processes.run(self.shell(script), pids.append)).ok)
        for pid in marked(self.mark):
            os.kill(pid, signal.SIGKILL)
        await self.until(lambda: not marked(self.mark))

    async def test_silence(self) -> None:
        """A program that says nothing is ended in time, with all it started."""
        with self.assertRaises(TimedOut) as caught:
            await self.processes.check(self.shell("echo begin; sleep 60 | sleep 60", silence=0.2))
        self.assertIn("begin", str(caught.exception))

    async def test_total(self) -> None:
        """A program that talks for ever likewise."""
        with self.assertRaises(TimedOut):
            await self.processes.check(self.shell("while :; do echo x; sleep 0.02; done", total=0.2))


JOURNALLED = """
import sys
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from imagefactory.lib.process.interface import Command
from imagefactory.lib.process.journal import Journal
from imagefactory.lib.process.supervise import TwistedProcesses
from imagefactory.testing.threads import ImmediateThreads

async def main():
    directory = Path(sys.argv[2])
    journal = await Journal.open(directory / "journal", ImmediateThreads())
    await journal.add_workspace(directory / "work")
    (directory / "work" / "deep").mkdir(parents=True)
    env = {"PATH": "/usr/bin:/bin", "IMAGEFACTORY_TEST": sys.argv[1], **journal.environment}
    processes = TwistedProcesses(reactor, reactor, base_env=env, watchers=[journal])
    script = "setsid sleep 600 & (setsid sh -c 'sleep 601 | sleep 602' &); echo up; sleep 603"
    await processes.run(Command(("sh", "-c", script), "script"), lambda line: print(line, flush=True))

Deferred.fromCoroutine(main())
reactor.run()
"""

PARENT = """
import sys
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from imagefactory.lib.process.interface import Command
from imagefactory.lib.process.supervise import TwistedProcesses
from imagefactory.lib.process.watchdog import Watchdog

env = {"PATH": "/usr/bin:/bin", "IMAGEFACTORY_TEST": sys.argv[1]}
watchdog = Watchdog(reactor, base_env=env)
watchdog.start()
processes = TwistedProcesses(reactor, reactor, base_env=env, watchers=[watchdog])
for script in sys.argv[2:]:
    command = Command(("sh", "-c", script), "script")
    Deferred.fromCoroutine(processes.run(command, lambda line: print(line, flush=True)))
reactor.run()
"""


class KilledParentTests(ProcessCase):
    """kill -9 of the program itself."""

    async def test_nothing_survives(self) -> None:
        """Children, their children, those that ignore signals, a namespace with its own init: all die with us."""
        scripts = [
            "echo up; sleep 60",
            "trap '' TERM HUP INT; echo up; sleep 60 | sleep 60; sleep 60",
            "(sleep 60 & sleep 60 & wait) & echo up; wait",
        ]
        if os.getuid() == 0:
            scripts.append("echo up; exec unshare --pid --fork --kill-child sh -c 'setsid sleep 60 & sleep 60; true'")
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, self.mark, *scripts], stdout=subprocess.PIPE, text=True
        )
        assert parent.stdout is not None
        self.assertEqual([parent.stdout.readline() for _ in scripts], ["up\n"] * len(scripts))
        await self.until(lambda: len(marked(self.mark)) > 2 * len(scripts))
        parent.kill()
        parent.wait()
        await self.until(lambda: not marked(self.mark))
        parent.stdout.close()

    async def test_next_start_clears_what_was_left(self) -> None:
        """Without a watchdog, too: what left its group is found by its token, and the workspace is removed."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        parent = subprocess.Popen(
            [sys.executable, "-c", JOURNALLED, self.mark, directory], stdout=subprocess.PIPE, text=True
        )
        assert parent.stdout is not None
        self.assertEqual(parent.stdout.readline(), "up\n")
        parent.stdout.close()
        self.assertEqual(await self.reap(directory), 0)
        parent.kill()
        parent.wait()
        self.assertTrue(marked(self.mark))
        self.assertEqual(await self.reap(directory), 1)
        self.assertEqual(marked(self.mark), [])
        self.assertFalse((directory / "work").exists())
        self.assertEqual(list((directory / "journal").iterdir()), [])

    async def reap(self, directory: Path) -> int:
        """How many dead runs were cleared."""
        cleared = await reap(
            directory / "journal",
            threads=ImmediateThreads(),
            clock=reactor,
            processes=self.processes,
            privilege=Privilege(),
        )
        return len(cleared)

    async def test_watchdog_leaves_with_us(self) -> None:
        """An orderly stop ends it, and a group that ended before is not touched."""
        watchdog = Watchdog(reactor, base_env=self.env)
        watchdog.start()
        for number in range(1, 2000):
            watchdog.started(900_000_000 + number)
            watchdog.ended(900_000_000 + number)
        bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
        watchdog.started(bystander.pid)
        watchdog.ended(bystander.pid)
        await watchdog.stop()
        self.assertIsNone(bystander.poll())
        bystander.kill()
        bystander.wait()
        self.assertFalse(group_lives(bystander.pid))
