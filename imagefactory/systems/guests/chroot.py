"""A tree on our own file system as a guest."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from twisted.logger import Logger

from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.errors import CommandFailed, FactoryError, TooLarge, Unsupported
from imagefactory.lib.process.interface import Command, LineReader, Privilege, Processes
from imagefactory.systems.guests.entry import NEEDS, POLICY, RESOLV, running, touching
from imagefactory.systems.guests.interface import File, demand_path
from imagefactory.systems.guests.writing import WRITE, batches, not_written, script

ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "SHELL": "/bin/sh",
    "SYSTEMD_OFFLINE": "1",
    "TERM": "dumb",
    "TMPDIR": "/tmp",  # noqa: S108 - the guest's
    "UCF_FORCE_CONFFOLD": "1",
}
"""What commands in the tree find in their environment, besides PATH."""

_PLACE = """\
for path in "$@"; do
    if [ -d "${path%/*}" ] && [ ! -e "$path" ] && [ ! -L "$path" ]; then : > "$path" && echo "$path"; fi
done"""
_CLEAR = 'for path in "$@"; do if [ -f "$path" ] && [ ! -s "$path" ]; then rm -f "$path"; fi; done'
_READ = """\
if [ -f "$1" ]; then echo file; head -c "$2" "$1" | base64; elif [ -e "$1" ]; then exit 21; else echo absent; fi"""
_REMOVE = 'IFS=; for pattern in "$@"; do rm -rf -- $pattern; done'


class ChrootGuest:
    """Commands in `tree`, each in mount and pid namespaces of its own.

    A command sees proc, sys (read only), a small dev, an empty run and the host's `resolv` file; packages start no
    service (policy-rc.d). Nothing of that is in the tree: it is mounted over it, and gone with the command and all
    that it left running. `put`, `get` and `remove` work inside the tree, where no symbolic link leads out, and see its
    bare files, each within `timeout` seconds (a file may be a pipe without a reader). Use it in `async with`: two
    empty files that serve as mount points are there in between.
    """

    _log = Logger()

    def __init__(
        self,
        tree: Path,
        processes: Processes,
        privilege: Privilege,
        *,
        resolv: Path = Path("/etc/resolv.conf"),
        timeout: float | None = None,
    ) -> None:
        self._tree = tree
        self._processes = processes
        self._privilege = privilege
        self._resolv = resolv
        self._timeout = timeout
        self._placeholders: set[str] = set()

    async def __aenter__(self) -> Self:
        """Raises Unsupported if this host cannot enter the tree, MissingTool if it lacks what that takes."""
        command = self._bare(f"entering {self._tree}", _PLACE, POLICY, RESOLV)
        try:
            placed = await shield(self._processes.output(command))
        except CommandFailed as error:
            raise _not_entered(error) from error
        self._placeholders = set(placed.split())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        placeholders, self._placeholders = sorted(self._placeholders), set()
        if not placeholders:
            return
        try:
            await shield(self._processes.check(self._bare(f"leaving {self._tree}", _CLEAR, *placeholders)))
        except FactoryError as error:
            if value is None:
                raise
            self._log.warn("{error}", error=str(error))  # the first error is what matters

    async def run(
        self,
        script: str,
        *,
        title: str,
        on_line: LineReader | None = None,
        stdin: bytes = b"",
        total: float | None = None,
    ) -> None:
        """See `Guest.run`."""
        await self._processes.check(self._command(script, title, stdin, total), on_line)

    async def output(self, script: str, *, title: str, limit: int = 16 << 20, total: float | None = None) -> str:
        """See `Guest.output`."""
        return await self._processes.output(self._command(script, title, total=total), limit)

    async def put(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """See `Guest.put`."""
        demand_path(path)
        await self._write(self._bare(f"writing {path}", WRITE, path, f"{mode:04o}", stdin=data))
        self._placeholders.discard(path)

    async def put_all(self, files: Sequence[File]) -> None:
        """See `Guest.put_all`."""
        for file in files:
            demand_path(file.path)
        for batch in batches(files):
            title = f"writing {len(batch)} files"
            await self._write(self._bare(title, "exec /bin/sh -s", stdin=script(batch)))
            self._placeholders.difference_update(file.path for file in batch)

    async def get(self, path: str, *, limit: int = 1 << 20) -> bytes | None:
        """See `Guest.get`."""
        demand_path(path)
        command = self._bare(f"reading {path}", _READ, path, str(limit + 1))
        state, _, text = (await self._processes.output(command, limit=2 * limit + 1024)).partition("\n")
        if state == "absent":
            return None
        data = base64.b64decode(text)
        if len(data) > limit:
            raise TooLarge(f"{path} has more than {limit} bytes", where=str(self._tree))
        return data

    async def remove(self, *paths: str) -> None:
        """See `Guest.remove`."""
        for path in paths:
            demand_path(path)
        await self._processes.check(self._bare("removing files", _REMOVE, *paths))

    async def _write(self, command: Command) -> None:
        try:
            await self._processes.check(command)
        except CommandFailed as error:
            raise not_written(error) from error

    def _command(self, script: str, title: str, stdin: bytes = b"", total: float | None = None) -> Command:
        argv = self._privilege.argv(*running(self._tree, self._resolv))
        first_line = base64.b64encode(script.encode()) + b"\n"
        return Command(argv, title, env=ENVIRONMENT, stdin=first_line + stdin, total=total, needs=NEEDS)

    def _bare(self, title: str, script: str, *arguments: str, stdin: bytes = b"") -> Command:
        argv = self._privilege.argv(*touching(self._tree, script, *arguments))
        return Command(argv, title, env=ENVIRONMENT, stdin=stdin, total=self._timeout, needs=NEEDS)


def _not_entered(error: CommandFailed) -> Unsupported:
    said = " ".join(error.tail)
    if "Exec format error" in said:
        hint = "it is of another architecture: apt-get install qemu-user-static binfmt-support"
    elif "unshare" in said or "Operation not permitted" in said:
        hint = "the container or host must allow mount and pid namespaces (CAP_SYS_ADMIN)"
    else:
        hint = "the tree needs at least a /bin/sh that runs here"
    return Unsupported(f"the tree cannot be entered: {said or error.outcome}", where=error.title, hint=hint)
