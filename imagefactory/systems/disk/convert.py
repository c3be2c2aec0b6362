"""From the raw disk to the file a cloud wants, by qemu-img or our own writer."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import imagefactory
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.files.holes import data_size
from imagefactory.lib.process.interface import Command, Processes
from imagefactory.lib.sizes import human_size
from imagefactory.model.report import Report
from imagefactory.systems.disk.copies import share
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.stoppable import stoppable
from imagefactory.systems.disk.tools import make

_PROGRESS = re.compile(r"\((\d{1,3}(?:\.\d+)?)/100%\)")
_STREAM = {"adapter_type": "--adapter", "hwversion": "--hardware"}
_PACKAGES = Path(imagefactory.__file__).parent.parent
_ANY_ORDER = {"qcow2"}  # formats whose clusters may be written as they come, so that several are compressed at once


async def convert(
    source: Path,
    destination: Path,
    conversion: Conversion,
    *,
    processes: Processes,
    threads: Threads,
    report: Report,
    source_format: str = "raw",
) -> None:
    """Make `destination` from `source`, which stays as it is.

    It appears when it is complete, replacing what was there. Raw to raw costs nothing: both share their bytes (reflink
    or hard link) where the file system can, so neither is to be changed afterwards. Raises NoSpace, CommandFailed,
    MissingTool, TimedOut.
    """
    report.activity(f"converting to {conversion.format}")
    unfinished = destination.with_name(f".{destination.name}.{uuid4().hex[:8]}")
    try:
        if conversion.format == source_format == "raw":
            await stoppable(threads, lambda watch: share(source, unfinished, watch))
        else:
            wanted = await threads.run(data_size, source)
            command = _command(source, source_format, unfinished, destination.name, conversion)
            reader = progress_reader(report.progress)
            await make(command, unfinished, wanted, reader, processes=processes, threads=threads)
        await threads.run(os.replace, unfinished, destination)
    finally:
        await threads.run(partial(unfinished.unlink, missing_ok=True))
    report.progress(100)
    size = (await threads.run(destination.stat)).st_size
    report.line(f"{destination.name}: {conversion.format}, {human_size(size)}")


def _command(source: Path, source_format: str, unfinished: Path, name: str, conversion: Conversion) -> Command:
    title = f"converting to {conversion.format}"
    if source_format == "raw" and streams(conversion):
        # Our own package has to be found by a Python that knows nothing of this process's path.
        return Command(stream_argv(source, unfinished, name, conversion), title, env={"PYTHONPATH": str(_PACKAGES)})
    return Command(convert_argv(source, source_format, unfinished, conversion), title)


def streams(conversion: Conversion) -> bool:
    """Returns whether our own writer does it, which takes a third of qemu-img's time."""
    options = dict(conversion.options)
    return (
        conversion.format == "vmdk"
        and options.pop("subformat", "") == "streamOptimized"
        and options.keys() <= set(_STREAM)
    )


def stream_argv(source: Path, destination: Path, name: str, conversion: Conversion) -> tuple[str, ...]:
    """Returns the command line of `imagefactory.systems.disk.vmdk`; options have the names they have for qemu-img."""
    options = [
        word for key, flag in _STREAM.items() if key in conversion.options for word in (flag, conversion.options[key])
    ]
    return (
        sys.executable,
        "-m",
        "imagefactory.systems.disk.vmdk",
        *options,
        "--name",
        name,
        str(source),
        str(destination),
    )


def convert_argv(source: Path, source_format: str, destination: Path, conversion: Conversion) -> tuple[str, ...]:
    """qemu-img's command line (qemu-img(1)); `-W -m 16` compresses on all processors where the format allows it."""
    argv = ["qemu-img", "convert", "-p", "-f", source_format, "-O", conversion.format]
    if conversion.compress:
        argv.append("-c")
    if conversion.format in _ANY_ORDER:
        argv += ["-W", "-m", "16"]
    if conversion.options:
        argv += ["-o", ",".join(f"{key}={value}" for key, value in conversion.options.items())]
    return (*argv, str(source), str(destination))


def percent(line: str) -> float | None:
    """Returns the percentage in a line of `qemu-img convert -p` ("    (12.34/100%)"), or None."""
    found = _PROGRESS.search(line)
    return min(float(found[1]), 100.0) if found else None


def progress_reader(progress: Callable[[float], None]) -> Callable[[str], None]:
    """Returns a reader of qemu-img's lines that tells `progress` whenever a whole percent has been reached."""
    last = -1

    def read(line: str) -> None:
        nonlocal last
        value = percent(line)
        if value is not None and int(value) > last:
            last = int(value)
            progress(value)

    return read
