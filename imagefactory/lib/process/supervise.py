"""Runs child processes on a Twisted reactor."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from twisted.internet.interfaces import IReactorProcess, IReactorTime

from imagefactory.lib.errors import CommandFailed, TimedOut
from imagefactory.lib.process.child import DEFAULT_TIMEOUTS, Child, EndTimeouts, Kill, Sink
from imagefactory.lib.process.interface import Command, Exit, LineReader
from imagefactory.lib.process.lines import CappedText, LineSplitter
from imagefactory.lib.process.proc import group_lives
from imagefactory.lib.process.tools import find_tool, programs

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TAIL = 20
"""Lines kept for errors."""


class ChildWatcher(Protocol):
    """Is called for every child, so that it can be found if this process is killed."""

    def started(self, pid: int) -> None: ...

    def ended(self, pid: int) -> None: ...


def base_environment(home: Path, tmpdir: Path) -> dict[str, str]:
    """Returns the environment of every child: nothing of our own, so that builds do not depend on who started us."""
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(tmpdir)}


class TwistedProcesses:
    """`Processes` on a reactor's `spawnProcess`.

    Args:
        base_env: the environment of every child (see `base_environment`).
        watchers: are called for each (the journal, the watchdog).
    """

    def __init__(
        self,
        spawner: IReactorProcess,
        clock: IReactorTime,
        *,
        base_env: Mapping[str, str],
        watchers: Sequence[ChildWatcher] = (),
        timeouts: EndTimeouts = DEFAULT_TIMEOUTS,
        kill: Kill = os.kill,
        lives: Callable[[int], bool] = group_lives,
    ) -> None:
        self._spawner = spawner
        self._clock = clock
        self._base_env = dict(base_env)
        self._watchers = tuple(watchers)
        self._timeouts = timeouts
        self._kill = kill
        self._lives = lives

    def demand(self) -> None:
        """Raises MissingTool if what stands in front of every child is not there: before there is anything to remove,
        for which a child is needed, too."""
        for program in programs(in_front(Command(("rm",), "clearing away"))):
            find_tool(program, self._base_env["PATH"])

    async def run(
        self, command: Command, on_line: LineReader | None = None, on_error_line: LineReader | None = None
    ) -> Exit:
        """See `Processes.run`."""
        tail: deque[str] = deque(maxlen=TAIL)
        err = LineSplitter(_both(tail, on_line if command.merge else on_error_line))
        out = err if command.merge else LineSplitter(on_line or _ignore)
        return await self._supervise(command, out, err, tail)

    async def check(
        self, command: Command, on_line: LineReader | None = None, on_error_line: LineReader | None = None
    ) -> Exit:
        """See `Processes.check`."""
        return _proved(command, await self.run(command, on_line, on_error_line))

    async def output(self, command: Command, limit: int = 1 << 20) -> str:
        """See `Processes.output`."""
        command = dataclasses.replace(command, merge=False)
        tail: deque[str] = deque(maxlen=TAIL)
        text = CappedText(limit)
        _proved(command, await self._supervise(command, text, LineSplitter(tail.append), tail))
        return str(text)

    async def _supervise(self, command: Command, out: Sink, err: Sink, tail: deque[str]) -> Exit:
        child = Child(
            self._clock,
            out,
            err,
            stdin=command.stdin,
            silence=command.silence,
            total=command.total,
            timeouts=self._timeouts,
            kill=self._kill,
            lives=self._lives,
        )
        self._spawn(command, child)
        interruption = await child.ended.outlast(child.end)
        for watcher in self._watchers:
            watcher.ended(child.pid)
        if interruption is not None:
            raise interruption
        return _verdict(command, child, await child.ended.wait(), tuple(tail))

    def _spawn(self, command: Command, child: Child) -> None:
        env = {**self._base_env, **command.env}
        argv = in_front(command)
        executable = find_tool(argv[0], env["PATH"])
        for program in (*programs(argv), *programs(command.argv), *command.needs):
            find_tool(program, env["PATH"])
        if command.cwd is not None and not command.cwd.is_dir():
            # Twisted would report this as an exit status 1 of the child, without a word.
            raise CommandFailed(command.title, "cannot be started", where=str(command.cwd), hint="no such directory")
        try:
            self._spawner.spawnProcess(child, executable, argv, env=env, path=_text(command.cwd))
        except (OSError, ValueError) as error:
            raise CommandFailed(command.title, f"cannot be started: {error}") from error
        for watcher in self._watchers:
            watcher.started(child.pid)


def in_front(command: Command) -> tuple[str, ...]:
    """Returns the whole command line: leader of its own group, killed by the kernel with us, stderr merged if asked."""
    merge = ("sh", "-c", 'exec "$@" 2>&1', "sh") if command.merge else ()
    return ("setsid", "--", "setpriv", "--pdeathsig", "KILL", "--", *merge, *command.argv)


def _verdict(command: Command, child: Child, outcome: Exit | None, tail: tuple[str, ...]) -> Exit:
    if child.fault is not None:
        if isinstance(child.fault, OverflowError):
            raise CommandFailed(command.title, str(child.fault), tail)
        raise child.fault
    if child.late:
        raise _timed_out(command, child.late, tail)
    if outcome is None:
        raise CommandFailed(command.title, "does not end, not even when it is killed", tail)
    return dataclasses.replace(outcome, tail=tail)


def _timed_out(command: Command, clock: str, tail: tuple[str, ...]) -> TimedOut:
    said = f"said nothing for {command.silence:g}" if clock == "silence" else f"was not done after {command.total:g}"
    hint = "find out what it waits for; if it only needs more time, raise --timeout"
    return TimedOut("\n  | ".join([f"{command.title} {said} seconds and was ended", *tail]), hint=hint)


def _proved(command: Command, outcome: Exit) -> Exit:
    if not outcome.ok:
        raise CommandFailed(command.title, str(outcome), outcome.tail)
    return outcome


def _both(tail: deque[str], on_line: LineReader | None) -> LineReader:
    def read(line: str) -> None:
        tail.append(line)
        if on_line is not None:
            on_line(line)

    return read


def _ignore(line: str) -> None:
    """Drop a line."""


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
