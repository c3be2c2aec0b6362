"""Running the tools that make disks: a full file system is its own error, whatever the tool calls it."""

from __future__ import annotations

from pathlib import Path

from imagefactory.disk.space import no_space, tells_of_full_disk
from imagefactory.model.errors import CommandFailed
from imagefactory.process.interface import Command, LineReader, Processes


async def make(
    processes: Processes, command: Command, path: Path, wanted: int, on_line: LineReader | None = None
) -> None:
    """Run a command that writes `path`, about `wanted` bytes.

    Raises NoSpace, CommandFailed, MissingTool, TimedOut.
    """
    try:
        await processes.check(command, on_line)
    except CommandFailed as failure:
        if tells_of_full_disk(failure.tail, path):
            raise no_space(path, wanted) from failure
        raise
