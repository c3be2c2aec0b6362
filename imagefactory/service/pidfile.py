"""The pid file: pid and start time, so that a recycled pid is not taken for us."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imagefactory.lib.errors import Conflict, FactoryError
from imagefactory.lib.process.proc import Stat, stat


@dataclass(frozen=True, slots=True)
class PidFile:
    """First line the pid (for scripts), second line the process's start time in clock ticks since boot."""

    path: Path

    def check(self) -> None:
        """Conflict if a living process wrote it; a stale or unreadable one is no obstacle."""
        holder = self.holder()
        if holder is not None and holder.pid != os.getpid():
            raise Conflict(
                f"a daemon with pid {holder.pid} is running",
                where=str(self.path),
                hint="stop it first, or name another file with --pid_file",
            )

    def holder(self) -> Stat | None:
        """The living process that wrote the file."""
        try:
            pid, started = (int(line) for line in self.path.read_text().split()[:2])
        except (OSError, ValueError):
            return None
        found = stat(pid)
        return found if found is not None and found.started == started and not found.dead else None

    def write(self) -> None:
        """Name this process, in one step."""
        mine = stat(os.getpid())
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(f"{os.getpid()}\n{mine.started if mine else 0}\n")
            new.replace(self.path)
        except OSError as error:
            raise FactoryError(
                f"cannot write the pid file: {error.strerror}",
                where=str(self.path),
                hint="name a writable file with --pid_file",
            ) from None

    def remove(self) -> None:
        """Take it away if it is ours."""
        holder = self.holder()
        if holder is not None and holder.pid == os.getpid():
            with suppress(OSError):
                self.path.unlink()
