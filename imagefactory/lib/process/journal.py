"""Records what this run has started outside itself, so that a later one can remove it.

A run has one small JSON file, `TOKEN.json`, and holds a lock on `TOKEN.lock` while it lives (flock(2): the kernel
releases it however the process ends, it survives daemonising, and it holds over container borders, where a pid means
another process). Every child carries the token in its environment from its first moment, so that none is missed between
its start and its record.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.files.durable import synchronise
from imagefactory.lib.files.locks import FileLock
from imagefactory.lib.process.proc import stat

VARIABLE = "IMAGEFACTORY_RUN"
"""The environment variable that every child carries."""


@dataclass(frozen=True, slots=True)
class ChildRecord:
    """A child process, the leader of its group; `started` (clock ticks since boot) tells it from a later one with the
    same pid."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What one run leaves if it is killed now. `boot` is the kernel's boot id: after a reboot no process is left."""

    token: str
    owner: int
    boot: str
    children: tuple[ChildRecord, ...] = ()
    workspaces: tuple[str, ...] = ()


def encode(entry: JournalEntry) -> str:
    """Returns the text of an entry's file."""
    return json.dumps(asdict(entry), indent=1) + "\n"


def decode(text: str) -> JournalEntry:
    """Returns the entry in a text; ValueError if it is damaged."""
    try:
        raw = json.loads(text)
        entry = JournalEntry(
            token=raw["token"],
            owner=raw["owner"],
            boot=raw["boot"],
            children=tuple(ChildRecord(one["pid"], one["started"]) for one in raw["children"]),
            workspaces=tuple(raw["workspaces"]),
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a journal entry: {error!r}") from error
    texts = (entry.token, entry.boot, *entry.workspaces)
    numbers = (entry.owner, *(number for one in entry.children for number in (one.pid, one.started)))
    if not all(isinstance(one, str) for one in texts) or not all(type(one) is int and one > 0 for one in numbers):
        raise ValueError("not a journal entry: a value of the wrong type")
    if not all(Path(one).is_absolute() and "\0" not in one for one in entry.workspaces) or len(entry.token) < 32:
        raise ValueError("not a journal entry: a relative path or a short token")
    return entry


def boot_id() -> str:
    """Returns the name of this boot of this machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def is_alive(directory: Path, token: str) -> bool:
    """Whether the run of that token still lasts: its lock in the journal's directory is held. Blocks."""
    lock = FileLock(directory / f"{token}.lock")
    if lock.take(shared=True):
        lock.release()
        return False
    return lock.path.exists()


class Journal:
    """The entry of this run, from `open` to `close`; a `ChildWatcher` of its children."""

    _log = Logger()

    def __init__(self, directory: Path, threads: Threads, token: str, lock: FileLock) -> None:
        self.token = token
        self._path = directory / f"{token}.json"
        self._threads = threads
        self._lock = lock
        self._boot = boot_id()
        self._children: dict[int, int] = {}
        self._workspaces: list[Path] = []
        self._writing = DeferredLock()
        self._stale = False
        self._saving: Task[None] | None = None

    @classmethod
    async def open(cls, directory: Path, threads: Threads) -> Journal:
        """Begin an entry in `directory`, which is made if absent; FactoryError if it cannot be written."""
        token = secrets.token_hex(16)
        try:
            journal = cls(directory, threads, token, await threads.run(_begin, directory, token))
            await journal._save(durable=True)
        except OSError as error:
            raise unwritable(directory, error) from error
        return journal

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that every child has in its environment."""
        return {VARIABLE: self.token}

    async def add_workspace(self, path: Path) -> None:
        """Record `path` before it is made; the record is on the disk when this returns.

        Raises:
            FactoryError: it could not be written, and nothing is recorded.
        """
        self._workspaces.append(path)
        try:
            await self._save(durable=True)
        except OSError as error:
            self._workspaces.remove(path)
            raise unwritable(self._path.parent, error) from error

    async def drop_workspace(self, path: Path) -> None:
        """Forget `path`, which is removed, or belongs to something else by now."""
        self._workspaces.remove(path)
        try:
            await self._save(durable=True)
        except OSError as error:  # harmless: removing what is gone is no error
            self._log.error("the journal cannot be written: {error}", error=str(error))

    def started(self, pid: int) -> None:
        """See `ChildWatcher`."""
        known = stat(pid)
        if known is not None:
            self._children[pid] = known.started
            self._save_soon()

    def ended(self, pid: int) -> None:
        """See `ChildWatcher`."""
        if self._children.pop(pid, None) is not None:
            self._save_soon()

    async def close(self) -> None:
        """End the entry: it is removed, or kept for the next start to clear while it still names anything."""
        if self._saving is not None:
            await self._saving.settled()
        if self._workspaces or self._children:
            self._log.warn("what could not be removed is left for the next start: {entry}", entry=self._entry())
            await self.abandon()
        else:
            await shield(self._threads.run(remove_entry, self._path, self._lock))

    async def abandon(self) -> None:
        """Leave the entry as a process does that is killed: the next start clears what it names."""
        await shield(self._threads.run(self._lock.release))

    def _save_soon(self) -> None:
        """Write once for all that changed meanwhile: children come and go by the hundred."""
        self._stale = True
        if self._saving is None or self._saving.ended.fired:
            self._saving = Task(self._save_while_stale())

    async def _save_while_stale(self) -> None:
        while self._stale:
            try:
                # Not durable: a crash of the whole machine leaves no process behind.
                await self._save(durable=False)
            except OSError as error:
                self._log.error("the journal cannot be written: {error}", error=str(error))
                return

    async def _save(self, *, durable: bool) -> None:
        async with self._writing:
            self._stale = False
            await self._threads.run(_write, self._path, encode(self._entry()), durable=durable)

    def _entry(self) -> JournalEntry:
        children = tuple(ChildRecord(pid, started) for pid, started in self._children.items())
        workspaces = tuple(str(path) for path in self._workspaces)
        return JournalEntry(self.token, os.getpid(), self._boot, children, workspaces)


def unwritable(directory: Path, error: OSError) -> FactoryError:
    """Returns the error for a journal that cannot be written: without it nothing may be started."""
    hint = "make room there and let this user write, or set another state_dir"
    return FactoryError(f"the journal cannot be written: {error.strerror}", where=str(directory), hint=hint)


def _begin(directory: Path, token: str) -> FileLock:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(directory / f"{token}.lock")
    if not lock.take(create=True):
        raise FactoryError("a new journal entry is locked already", where=str(lock.path), hint="start again")
    return lock


def remove_entry(path: Path, lock: FileLock) -> None:
    """Remove all files of the entry `path`, whose lock is held."""
    path.unlink(missing_ok=True)
    path.with_suffix(".new").unlink(missing_ok=True)
    lock.release(remove=True)


def _write(path: Path, text: str, *, durable: bool) -> None:
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    new.replace(path)
    if durable:
        synchronise(path.parent)
