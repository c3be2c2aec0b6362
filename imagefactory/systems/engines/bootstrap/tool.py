"""What a program that makes root trees looks like to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imagefactory.systems.families.interface import Bootstrap

RECIPE = "3"
"""Part of every base's key: raise it when a change here makes other trees from the same inputs."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """A line of output from which one can tell how far it is: `percent` of the whole, measured."""

    activity: str
    percent: float


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of the program, as the tree's root, with what it reads from `stdin` and from `files` written before.

    `needs` are the programs that it calls, where it would say of one that is missing something misleading.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    files: tuple[tuple[Path, bytes], ...] = ()
    needs: tuple[str, ...] = ()


#: In front of the program: its own namespaces make sure that no mount and no process outlives it, however it ends.
ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--")


class Tool(Protocol):
    """A program that makes root trees; pure, the engine runs it."""

    name: str
    environment: dict[str, str]

    def version(self) -> tuple[str, ...]:
        """The command line that prints its version; none where the program is one file: its digest says more, at
        once."""
        ...

    def invocation(self, bootstrap: Bootstrap, tree: Path, cache: Path, keys: tuple[Path, ...]) -> Invocation:
        """How to make `tree`, an empty directory; `cache` is a place for downloads that is thrown away."""
        ...

    def files(self, bootstrap: Bootstrap) -> dict[str, bytes]:
        """Returns what the engine writes into the finished tree, by path relative to its root."""
        ...

    def milestone(self, line: str) -> Milestone | None:
        """Returns what a line of output says about progress."""
        ...
