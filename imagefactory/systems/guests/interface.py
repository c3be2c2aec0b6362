"""The one way to touch a system being customised, the same for a chroot tree and a booted machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.process.interface import LineReader


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written at an absolute guest path."""

    path: str
    data: bytes = field(repr=False)
    mode: int = 0o644


def demand_path(path: str) -> None:
    """InvalidInput unless `path` is that of a file in a guest: absolute, not the root, without a NUL."""
    if not path.startswith("/") or "\0" in path or not path.strip("/"):
        raise InvalidInput(f"{path!r} is not an absolute path in the guest")


class Guest(Protocol):
    """A system one can run commands in.

    Entering makes it ready; leaving ends everything that was started in it.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def run(
        self,
        script: str,
        *,
        title: str,
        on_line: LineReader | None = None,
        stdin: bytes = b"",
        total: float | None = None,
    ) -> None:
        """Run `script` with /bin/sh as root; CommandFailed with `title`, exit status and last lines if it fails,
        TimedOut if it takes more than `total` seconds."""
        ...

    async def output(self, script: str, *, title: str, limit: int = 16 << 20, total: float | None = None) -> str:
        """As `run`; returns what it printed on stdout."""
        ...

    async def put(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Write a file at the absolute guest path, parents included; a symbolic link in the path never leads out of the
        guest."""
        ...

    async def put_all(self, files: Sequence[File]) -> None:
        """As `put` for each, in order, in as few steps as the way in allows."""
        ...

    async def get(self, path: str, *, limit: int = 1 << 20) -> bytes | None:
        """Returns the file's content, None if there is no such file."""
        ...

    async def remove(self, *paths: str) -> None:
        """Remove files or trees; shell patterns (`*`) are expanded inside the guest; what is absent is no error."""
        ...
