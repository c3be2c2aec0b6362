"""Child processes for tests: a script instead of programs, and a spawner that the test plays."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred

from imagefactory.lib.errors import CommandFailed
from imagefactory.lib.process.interface import Command, Exit, LineReader

Matches = Callable[[Command], bool]
Effect = Callable[[Command], None]


class Test(Protocol):
    """What is needed of a trial test case."""

    def addCleanup(self, f: Callable[..., object], /) -> object: ...  # noqa: N802 - trial's name


@dataclass(slots=True)
class Expectation:
    """One command that is to come, and how it goes.

    `effect` is called when it runs (to write the file that the program would write); an exception of its is raised
    from the run. With `hangs` it runs until it is cancelled.
    """

    matches: Matches
    label: str
    lines: Sequence[str] = ()
    error_lines: Sequence[str] = ()
    exit: Exit = field(default_factory=lambda: Exit(code=0, signal=None))
    effect: Effect | None = None
    hangs: bool = False
    times: int | None = 1


@dataclass(slots=True)
class ScriptedProcesses:
    """`Processes` that run nothing: every command must have been expected.

    An unexpected command fails at once; `check_done()` (called at the end of the test by `of`) fails if one did not
    come. Expectations are matched in the order they were made; `commands` has all that ran, `cancelled` those that
    were cancelled.
    """

    commands: list[Command] = field(default_factory=list)
    cancelled: list[Command] = field(default_factory=list)
    _expected: list[Expectation] = field(default_factory=list)

    @classmethod
    def of(cls, test: Test) -> ScriptedProcesses:
        """One that checks at the end of `test` that all that was expected came."""
        processes = cls()
        test.addCleanup(processes.check_done)
        return processes

    def expect(
        self,
        what: str | Matches,
        *,
        lines: Sequence[str] = (),
        error_lines: Sequence[str] = (),
        exit: int | Exit = 0,
        effect: Effect | None = None,
        hangs: bool = False,
        times: int | None = 1,
    ) -> Expectation:
        """A command comes: `what` is a regular expression searched in the command line (words joined with blanks), or a
        predicate. `times` is how often; None is any number, none included."""
        matches = what if callable(what) else _search(what)
        ending = exit if isinstance(exit, Exit) else Exit(code=exit, signal=None)
        expectation = Expectation(matches, str(what), lines, error_lines, ending, effect, hangs, times)
        self._expected.append(expectation)
        return expectation

    def check_done(self) -> None:
        """AssertionError if a command that was expected did not come."""
        left = [one.label for one in self._expected if one.times]
        if left:
            raise AssertionError(f"these commands were expected and did not come: {left}")

    async def run(
        self, command: Command, on_line: LineReader | None = None, on_error_line: LineReader | None = None
    ) -> Exit:
        """See `Processes.run`."""
        self.commands.append(command)
        expectation = self._take(command)
        if expectation.effect is not None:
            expectation.effect(command)
        _tell(on_line, expectation.lines)
        _tell(on_line if command.merge else on_error_line, expectation.error_lines)
        if expectation.hangs:
            await self._hang(command)
        said = (*expectation.lines, *expectation.error_lines) if command.merge else expectation.error_lines
        return replace(expectation.exit, tail=tuple(said))

    async def check(
        self, command: Command, on_line: LineReader | None = None, on_error_line: LineReader | None = None
    ) -> Exit:
        """See `Processes.check`."""
        return _proved(command, await self.run(command, on_line, on_error_line))

    async def output(self, command: Command, limit: int = 1 << 20) -> str:
        """See `Processes.output`."""
        command = replace(command, merge=False)
        lines: list[str] = []
        _proved(command, await self.run(command, lines.append))
        text = "".join(f"{line}\n" for line in lines)
        if len(text) > limit:
            raise CommandFailed(command.title, f"printed more than {limit} characters")
        return text

    async def _hang(self, command: Command) -> None:
        never: Deferred[None] = Deferred()
        try:
            await never
        except CancelledError:
            self.cancelled.append(command)
            raise

    def _take(self, command: Command) -> Expectation:
        for expectation in self._expected:
            if expectation.times != 0 and expectation.matches(command):
                if expectation.times is not None:
                    expectation.times -= 1
                return expectation
        raise AssertionError(f"unexpected command {command.title!r}: {' '.join(command.argv)}")


def _search(pattern: str) -> Matches:
    expression = re.compile(pattern, re.DOTALL)
    return lambda command: expression.search(" ".join(command.argv)) is not None


def _tell(reader: LineReader | None, lines: Sequence[str]) -> None:
    if reader is not None:
        for line in lines:
            reader(line)


def _proved(command: Command, outcome: Exit) -> Exit:
    if not outcome.ok:
        raise CommandFailed(command.title, str(outcome), outcome.tail)
    return outcome
