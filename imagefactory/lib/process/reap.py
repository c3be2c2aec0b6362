"""Removes what runs that were killed have left: exactly what their journal entries say, and nothing by its name."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from imagefactory.lib.concurrency.clock import sleep
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.files.locks import FileLock
from imagefactory.lib.process.interface import Privilege, Processes
from imagefactory.lib.process.journal import VARIABLE, JournalEntry, boot_id, decode, remove_entry
from imagefactory.lib.process.proc import Stat, carries, everybody
from imagefactory.lib.process.trees import remove_tree

_log = Logger()
_TRIES, _PAUSE = 100, 0.05


@dataclass(frozen=True, slots=True)
class Claim:
    """The entry of a run that has ended, locked so that no other process reaps it meanwhile."""

    path: Path
    lock: FileLock
    entry: JournalEntry


async def reap(
    directory: Path, *, threads: Threads, clock: IReactorTime, processes: Processes, privilege: Privilege
) -> list[JournalEntry]:
    """Kill the processes and remove the workspaces of all runs in `directory` that have ended.

    Entries of runs that last are not touched. A damaged entry is set aside (`.damaged`), one that cannot be cleared is
    kept for the next time; neither is fatal, both are logged.

    Returns:
        The entries that were cleared.
    """
    cleared = []
    for path in await threads.run(_entries, directory):
        claim = await threads.run(_claim, path)
        if claim is None:
            continue
        gone = False
        try:
            gone = await _clear(claim.entry, threads, clock, processes, privilege)
        finally:
            await threads.run(_release, claim, gone=gone)
        if gone:
            cleared.append(claim.entry)
    return cleared


async def _clear(
    entry: JournalEntry, threads: Threads, clock: IReactorTime, processes: Processes, privilege: Privilege
) -> bool:
    if not await _kill(entry, threads, clock):
        _log.error("processes of an earlier run (pid {pid}) do not end", pid=entry.owner)
        return False
    try:
        for workspace in entry.workspaces:
            await remove_tree(Path(workspace), processes, privilege, threads)
    except FactoryError as error:
        _log.error("what an earlier run left cannot be removed: {error} {hint}", error=str(error), hint=error.hint)
        return False
    return True


async def _kill(entry: JournalEntry, threads: Threads, clock: IReactorTime) -> bool:
    """Kill again and again, because what is being killed may be starting more; False if processes are left."""
    for _ in range(_TRIES):
        if not await threads.run(_strike, entry):
            return True
        await sleep(clock, _PAUSE)
    return False


def _strike(entry: JournalEntry) -> bool:
    """Kill all that are left; returns whether there were any."""
    victims = list(victims_of(entry, list(everybody()), boot_id()))
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(victims)


def victims_of(entry: JournalEntry, running: list[Stat], boot: str, proc: Path = Path("/proc")) -> Iterator[int]:
    """Yields the pids that belong to `entry`: processes that carry its token, and those in the group of a child that
    is known by pid and start time."""
    leaders = {child.pid for child in entry.children if entry.boot == boot}
    known = {(child.pid, child.started) for child in entry.children}
    groups = {one.pid for one in running if one.pid in leaders and (one.pid, one.started) in known}
    variable = f"{VARIABLE}={entry.token}".encode()
    for one in running:
        if not one.dead and (one.group in groups or carries(one.pid, variable, proc)):
            yield one.pid


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.json"))


def _claim(path: Path) -> Claim | None:
    """Returns the entry if its run has ended (its lock is free) and it can be read."""
    lock = FileLock(path.with_suffix(".lock"))
    if not lock.take(create=True):
        return None
    try:
        return Claim(path, lock, decode(path.read_text()))
    except (ValueError, OSError) as error:
        _set_aside(path, lock, error)
        return None


def _set_aside(path: Path, lock: FileLock, error: Exception) -> None:
    if path.exists():
        _log.warn("the journal entry {path} is damaged and set aside: {error}", path=path, error=error)
        path.replace(path.with_suffix(".damaged"))
    lock.release(remove=True)


def _release(claim: Claim, *, gone: bool) -> None:
    if gone:
        remove_entry(claim.path, claim.lock)
    else:
        claim.lock.release()
