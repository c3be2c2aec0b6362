"""What other packages know of child processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run.

    Attributes:
        argv: without secrets, because all users of a host can read it.
        title: names it in logs and errors.
        env: in addition to a small fixed environment (PATH, LANG=C.UTF-8, HOME, TMPDIR).
        stdin: its input; secrets go in here.
        silence: seconds for which it may print nothing (None: no limit).
        total: seconds that it may take (None: no limit).
        merge: whether stderr is read as stdout.
        needs: other programs of this host that this one calls.
    """

    argv: tuple[str, ...]
    title: str
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stdin: bytes = field(default=b"", repr=False)
    silence: float | None = None
    total: float | None = None
    merge: bool = True
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: exactly one of `code` and `signal` is set.

    `tail` holds its last lines (stderr's, unless merged).
    """

    code: int | None
    signal: int | None
    tail: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it left with exit status 0."""
        return self.code == 0

    def __str__(self) -> str:
        return f"ended with exit status {self.code}" if self.signal is None else f"was ended by signal {self.signal}"


LineReader = Callable[[str], None]


class Processes(Protocol):
    """Runs programs in their own process group, and ends them with everything they started."""

    async def run(
        self, command: Command, on_line: LineReader | None = None, on_error_line: LineReader | None = None
    ) -> Exit:
        """Run to the end.

        A carriage return ends a line, too (progress bars). Cancelling ends the group (TERM, grace, KILL) and waits
        until the last process of it is gone.

        Raises:
            MissingTool: it is not installed; the hint names the package that has it.
            TimedOut: it was silent for too long, or took too long.
        """
        ...

    async def check(
        self, command: Command, on_line: LineReader | None = None, on_error_line: LineReader | None = None
    ) -> Exit:
        """As `run`, and raises CommandFailed unless it left with exit status 0."""
        ...

    async def output(self, command: Command, limit: int = 1 << 20) -> str:
        """As `check` (never merged); returns stdout as text; CommandFailed if it has more than `limit` characters."""
        ...


@dataclass(frozen=True, slots=True)
class Privilege:
    """How this process works on files that belong to the system being built.

    As root `prefix` is empty. As an ordinary user with subordinate ids it enters a user namespace in which that user
    is root and the subordinate ids are all other users; all work on a tree (bootstrap, chroot, packing, making the
    file system, removing) then goes through it, because only there the owners are what they seem.
    """

    prefix: tuple[str, ...] = ()

    def argv(self, *argv: str) -> tuple[str, ...]:
        """Returns the command line that runs `argv` as the tree's root."""
        return (*self.prefix, *argv)
