"""Running the tools that make disks: a full file system is its own error, whatever the tool calls it."""

from __future__ import annotations

from pathlib import Path

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import CommandFailed
from imagefactory.lib.process.interface import Command, LineReader, Processes
from imagefactory.systems.disk.space import no_space, tells_of_full_disk


async def make(
    command: Command,
    path: Path,
    wanted: int,
    on_line: LineReader | None = None,
    *,
    processes: Processes,
    threads: Threads,
) -> None:
    """Run a command that writes `path`, about `wanted` bytes.

    Raises NoSpace, CommandFailed, MissingTool, TimedOut.
    """
    try:
        await processes.check(command, on_line)
    except CommandFailed as failure:
        if await threads.run(tells_of_full_disk, failure.tail, path):
            raise no_space(path, wanted) from failure
        raise
