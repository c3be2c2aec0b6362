"""TwistedProcesses, on a clock and a kernel that the test plays."""

import signal
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from imagefactory.lib.errors import CommandFailed, MissingTool, TimedOut
from imagefactory.lib.process import supervise
from imagefactory.lib.process.child import Child
from imagefactory.lib.process.interface import Command, Exit
from imagefactory.lib.process.supervise import TwistedProcesses, base_environment, in_front
from imagefactory.testing.spawner import FakeProcess, FakeSpawner

TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)


class Ears:
    """A watcher."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    def started(self, pid: int) -> None:
        self.heard.append(("started", pid))

    def ended(self, pid: int) -> None:
        self.heard.append(("ended", pid))


class SuperviseCase(SynchronousTestCase):
    """A run of /bin/sh that the test plays."""

    def setUp(self) -> None:
        self.spawner = FakeSpawner()
        self.clock = self.spawner.clock
        self.ears = Ears()
        self.lines: list[str] = []
        self.error_lines: list[str] = []
        self.processes = TwistedProcesses(
            self.spawner,
            self.clock,
            base_env=base_environment(Path("/home/x"), Path("/tmp/y")),
            watchers=[self.ears],
            kill=self.spawner.kill,
            lives=self.spawner.lives,
        )

    def start(self, method: str = "run", **options: object) -> Deferred[Exit]:
        """A run (or check) of a shell; `child` is its process."""
        command = Command(("sh", "-c", "true"), "the shell", **options)  # type: ignore[arg-type]
        run = getattr(self.processes, method)(command, self.lines.append, self.error_lines.append)
        return Deferred.fromCoroutine(run)

    @property
    def child(self) -> FakeProcess:
        return self.spawner.processes[-1]


class RunTests(SuperviseCase):
    """Ordinary lives."""

    def test_fakes_are_what_they_stand_for(self) -> None:
        """The fake spawner and its process provide Twisted's interfaces."""
        self.start()
        verifyObject(IReactorProcess, self.spawner)
        verifyObject(IProcessTransport, self.child)

    def test_lines_and_exit(self) -> None:
        """Lines arrive as they are complete; the answer has the exit status and the last lines."""
        run = self.start()
        self.child.out(b"one\ntw")
        self.assertEqual(self.lines, ["one"])
        self.child.out(b"o\n")
        self.child.exit(3)
        self.assertEqual(self.successResultOf(run), Exit(3, None, ("one", "two")))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tail_is_bounded(self) -> None:
        """However much is printed, twenty lines are kept."""
        run = self.start()
        self.child.out(b"".join(b"%d\n" % number for number in range(1000)))
        self.child.exit()
        self.assertEqual(self.successResultOf(run).tail, tuple(str(number) for number in range(980, 1000)))

    def test_apart(self) -> None:
        """Without merge stderr has its own reader, and the tail is stderr's."""
        run = self.start(merge=False)
        self.child.out(b"out\n")
        self.child.err(b"err\n")
        self.child.exit(1)
        self.assertEqual((self.lines, self.error_lines), (["out"], ["err"]))
        self.assertEqual(self.successResultOf(run).tail, ("err",))

    def test_signal(self) -> None:
        """A child that dies of a signal says which."""
        run = self.start()
        self.child.exit(None, KILL)
        outcome = self.successResultOf(run)
        self.assertEqual((outcome.code, outcome.signal, outcome.ok), (None, KILL, False))

    def test_stdin_is_written_and_closed(self) -> None:
        """A child that reads gets its input and then an end."""
        self.start(stdin=b"secret")
        self.assertEqual((self.child.stdin, self.child.stdin_closed), (b"secret", True))
        self.assertNotIn("secret", repr(self.child.argv))

    def test_environment_is_ours_alone(self) -> None:
        """The fixed variables and the command's, nothing of the test's own environment."""
        self.start(env={"LANG": "C", "X": "1"})
        env = self.spawner.environments[0]
        self.assertEqual(
            {**env, "PATH": ""}, {"PATH": "", "LANG": "C", "HOME": "/home/x", "TMPDIR": "/tmp/y", "X": "1"}
        )

    def test_all_that_will_be_called_is_there(self) -> None:
        """What stands in front of the program, and what it needs itself, is named before anything is started."""
        for command in (
            Command(("unshare", "--", "no-such-tool"), "x"),
            Command(("sh",), "x", needs=("sh", "no-such-tool")),
        ):
            run = Deferred.fromCoroutine(self.processes.run(command))
            self.assertIn("no-such-tool", str(self.failureResultOf(run, MissingTool).value))
        self.patch(supervise, "in_front", lambda command: ("sh", *command.argv))
        self.patch(supervise, "programs", lambda argv: ("no-such-front",) if argv[0] == "sh" else ())
        run = Deferred.fromCoroutine(self.processes.run(Command(("ls",), "x")))
        self.assertIn("no-such-front", str(self.failureResultOf(run, MissingTool).value))

    def test_watchers_hear_of_it(self) -> None:
        """Start and end, also of a child that fails."""
        self.start()
        self.child.exit(1)
        self.assertEqual(self.ears.heard, [("started", 1000), ("ended", 1000)])

    def test_command_line(self) -> None:
        """Own group, death with the parent, merged output: in this order in front."""
        merged = in_front(Command(("ls", "-l"), "list"))
        self.assertEqual(merged[:6], ("setsid", "--", "setpriv", "--pdeathsig", "KILL", "--"))
        self.assertEqual(merged[6:], ("sh", "-c", 'exec "$@" 2>&1', "sh", "ls", "-l"))
        self.assertEqual(in_front(Command(("ls",), "list", merge=False))[6:], ("ls",))

    def test_check(self) -> None:
        """An exit status other than 0 is an error with title and last lines."""
        run = self.start("check")
        self.child.out(b"E: no such package\n")
        self.child.exit(100)
        error = self.failureResultOf(run, CommandFailed).value
        self.assertEqual(str(error), "the shell ended with exit status 100\n  | E: no such package")

    def test_reader_that_fails(self) -> None:
        """Its error ends the child and is raised; it does not break the reactor."""

        def reader(line: str) -> None:
            raise KeyError(line)

        run = Deferred.fromCoroutine(self.processes.run(Command(("sh",), "the shell"), reader))
        self.child.out(b"boom\nagain\n")
        self.assertEqual([number for _, number in self.child.signals], [TERM])
        self.failureResultOf(run, KeyError)


class OutputTests(SuperviseCase):
    """Text instead of lines."""

    def ask(self, limit: int = 100) -> Deferred[str]:
        return Deferred.fromCoroutine(self.processes.output(Command(("sh",), "the shell"), limit))

    def test_stdout_as_it_is(self) -> None:
        """stderr is not part of it."""
        answer = self.ask()
        self.child.err(b"warning\n")
        self.child.out(b"a\r\nb")
        self.child.exit()
        self.assertEqual(self.successResultOf(answer), "a\r\nb")

    def test_failure_shows_stderr(self) -> None:
        """The last lines of the error are stderr's."""
        answer = self.ask()
        self.child.out(b"half")
        self.child.err(b"no such file\n")
        self.child.exit(2)
        self.assertEqual(self.failureResultOf(answer, CommandFailed).value.tail, ("no such file",))

    def test_too_much(self) -> None:
        """More than the limit ends the child."""
        answer = self.ask(limit=3)
        self.child.out(b"abcd")
        self.assertIn("more than 3", str(self.failureResultOf(answer, CommandFailed).value))


class RefusedTests(SuperviseCase):
    """Commands that cannot be started."""

    def test_missing_tool(self) -> None:
        """It is seen before anything is started, also behind a front."""
        for argv in (("no-such-tool",), ("unshare", "--", "no-such-tool")):
            run = Deferred.fromCoroutine(self.processes.run(Command(argv, "work")))
            self.assertIn("no-such-tool", str(self.failureResultOf(run, MissingTool).value))
        self.assertEqual(self.spawner.processes, [])

    def test_missing_directory(self) -> None:
        """A working directory that is not there is named."""
        self.assertIn("/no/where", str(self.failureResultOf(self.start(cwd=Path("/no/where")), CommandFailed).value))

    def test_directory(self) -> None:
        """The working directory is handed on."""
        self.start(cwd=Path("/"))
        self.assertEqual(self.spawner.paths, ["/"])

    def test_system_refuses(self) -> None:
        """No memory for a process is an error like others."""
        self.spawner.refuses = OSError(12, "Cannot allocate memory")
        self.assertIn("allocate memory", str(self.failureResultOf(self.start(), CommandFailed).value))


class ClockTests(SuperviseCase):
    """Two clocks."""

    def test_silence(self) -> None:
        """Each word starts the clock anew; when it runs out, the group is ended and the last lines told."""
        run = self.start(silence=10)
        for _ in range(3):
            self.clock.advance(9)
            self.child.out(b"still here\n")
        self.clock.advance(10)
        error = str(self.failureResultOf(run, TimedOut).value)
        self.assertIn("the shell said nothing for 10 seconds", error)
        self.assertIn("still here", error)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_total(self) -> None:
        """Talking does not help against the second clock."""
        run = self.start(silence=10, total=25)
        for _ in range(3):
            self.clock.advance(9)
            self.child.out(b"busy\n")
        self.assertIn("not done after 25 seconds", str(self.failureResultOf(run, TimedOut).value))

    def test_child_that_exits_well_after_its_time(self) -> None:
        """Ended by us is a failure, even with exit status 0."""
        run = self.start(total=5)
        self.child.obeys = {signal.SIGKILL}
        self.clock.advance(5)
        self.child.exit(0)
        self.failureResultOf(run, TimedOut)


class CancelTests(SuperviseCase):
    """Ending."""

    def test_cancel_waits_for_the_end(self) -> None:
        """TERM to the group; the Deferred fires when the child is gone."""
        run = self.start()
        self.child.obeys = set()
        run.cancel()
        self.assertNoResult(run)
        self.child.exit(None, TERM)
        self.failureResultOf(run, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel_twice(self) -> None:
        """The second only waits: one TERM, nothing left behind."""
        run = self.start()
        self.child.obeys = set()
        run.cancel()
        run.cancel()
        self.assertEqual(self.child.signals, [(0.0, TERM)])
        self.assertNoResult(run)
        self.child.exit(None, TERM)
        self.failureResultOf(run, CancelledError)

    def test_cancel_of_one_that_is_too_late_already(self) -> None:
        """It is being ended: no second TERM, no new grace; the cancellation is what is answered."""
        run = self.start(total=1)
        self.child.obeys = {signal.SIGKILL}
        self.clock.advance(1)
        self.clock.advance(4)
        run.cancel()
        self.clock.advance(1)
        self.failureResultOf(run, CancelledError)
        self.assertEqual(self.child.signals, [(1.0, TERM), (6.0, KILL)])

    def test_child_that_ignores_term(self) -> None:
        """After five seconds KILL ends it."""
        run = self.start()
        self.child.obeys = {signal.SIGKILL}
        run.cancel()
        self.clock.advance(4.9)
        self.assertNoResult(run)
        self.clock.advance(0.1)
        self.failureResultOf(run, CancelledError)
        self.assertEqual([number for _, number in self.child.signals], [TERM, KILL])
        self.assertEqual(self.ears.heard[-1], ("ended", 1000))

    def test_child_that_not_even_kill_ends(self) -> None:
        """The run has an end all the same, and says so."""
        run = self.start(total=1)
        self.child.obeys = set()
        self.clock.advance(1)
        self.clock.advance(5)
        self.assertNoResult(run)
        self.clock.advance(10)
        self.failureResultOf(run, TimedOut)
        self.assertTrue(self.child.hung_up)
        self.child.exit(None, KILL)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_grandchild_that_holds_the_output(self) -> None:
        """The child has exited: what it left gets a second, then KILL."""
        run = self.start()
        self.child.stragglers = True
        self.child.exit(0)
        self.child.out(b"late word\n")
        self.assertNoResult(run)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(run), Exit(0, None, ("late word",)))
        self.assertEqual([number for _, number in self.child.signals], [KILL])

    def test_grandchild_in_another_group(self) -> None:
        """One that KILL to the group does not reach cannot hold the run by holding the output."""
        run = self.start()
        self.child.stragglers = True
        self.child.signalled = lambda number: None  # type: ignore[method-assign]
        self.child.exit(0)
        self.clock.advance(1)
        self.clock.pump([0.1] * 110)
        self.successResultOf(run)
        self.assertTrue(self.child.hung_up)

    def test_child_without_a_group_yet(self) -> None:
        """A cancel between spawn and setsid reaches the process itself."""
        sent: list[tuple[int, int]] = []

        def kill(pid: int, number: int) -> None:
            sent.append((pid, number))
            if pid < 0:
                raise ProcessLookupError

        child = Child(self.clock, None, None, kill=kill)  # type: ignore[arg-type]
        self.spawner.spawnProcess(child, "sh", ("sh",))
        child.end()
        self.assertEqual(sent, [(-1000, TERM), (1000, TERM)])
