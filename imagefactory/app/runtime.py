"""What all parts of the factory use: threads, child processes, workspaces, and the journal of what is left of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from imagefactory.app.connections import each_of_factory
from imagefactory.lib.concurrency.threads import ThreadPools, Threads
from imagefactory.lib.errors import FactoryError
from imagefactory.lib.http.names import NameResolver
from imagefactory.lib.process.interface import Privilege, Processes
from imagefactory.lib.process.journal import Journal, is_alive
from imagefactory.lib.process.privilege import find_privilege
from imagefactory.lib.process.reap import reap
from imagefactory.lib.process.supervise import ChildWatcher, TwistedProcesses, base_environment
from imagefactory.lib.process.trees import remove_tree
from imagefactory.lib.process.watchdog import Watchdog
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.lib.runtime.descriptors import OriginalLimit, raise_limit
from imagefactory.lib.runtime.priority import LowerPriority
from imagefactory.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the factory's parts are given to work with.

    Attributes:
        builds: makes workspaces below imgdir.
        tmpdir: this run's own directory for temporary files of programs.
        token: names this run.
        alive: whether the run of a token still lasts; blocks.
    """

    pools: ThreadPools
    names: NameResolver
    processes: Processes
    privilege: Privilege
    builds: Workspaces
    tmpdir: Path
    token: str
    alive: Callable[[str], bool]

    @property
    def threads(self) -> Threads:
        """For all that may take long."""
        return self.pools.bulk


async def start_runtime(settings: Settings, reactor: Any, stack: AsyncExitStack, *, daemon: bool) -> Runtime:
    """Start it, and remove what processes that were killed left.

    Args:
        stack: stops it, in reverse order.
        daemon: there will be many clients, who come before its builds.

    Raises:
        FactoryError: a directory cannot be written, or a program is missing.
    """
    pools, names = start_threads(reactor, stack, yielding=daemon)
    threads = pools.database
    directory = settings.state_dir / "journal"
    await threads.run(_demand_writable, settings.state_dir)
    journal = await Journal.open(directory, threads)
    stack.push_async_callback(journal.close)
    tmpdir = settings.tmpdir / f"imagefactory-{journal.token[:12]}"
    processes = _start_processes(settings, reactor, stack, journal, tmpdir, yielding=daemon)
    privilege = await find_privilege(processes, threads)
    await reap(directory, threads=threads, clock=reactor, processes=processes, privilege=privilege)

    async def remove(path: Path) -> None:
        await remove_tree(path, processes, privilege, threads)

    await _make_tmpdir(tmpdir, journal, threads)

    async def remove_tmpdir() -> None:
        await remove(tmpdir)
        await journal.drop_workspace(tmpdir)

    stack.push_async_callback(remove_tmpdir)
    builds = Workspaces(settings.imgdir, journal, remove, threads)
    return Runtime(pools, names, processes, privilege, builds, tmpdir, journal.token, partial(is_alive, directory))


def start_threads(reactor: Any, stack: AsyncExitStack, *, yielding: bool) -> tuple[ThreadPools, NameResolver]:
    """Start the threads of a process, which `stack` stops."""
    pools, names = ThreadPools(reactor, yielding=yielding), NameResolver(reactor)
    pools.start()
    stack.push_async_callback(pools.stop)
    names.start()
    stack.push_async_callback(names.stop)
    return pools, names


def _start_processes(
    settings: Settings, reactor: Any, stack: AsyncExitStack, journal: Journal, tmpdir: Path, *, yielding: bool
) -> TwistedProcesses:
    """Returns what starts child processes; MissingTool if it cannot."""
    environment = {**base_environment(Path.home(), tmpdir), **journal.environment}
    watchdog = Watchdog(reactor, base_env=environment)
    watchdog.start()
    stack.push_async_callback(watchdog.stop)
    watchers: tuple[ChildWatcher, ...] = (journal, watchdog)
    if yielding:  # at a terminal all wait for the build
        before = raise_limit(settings.max_connections, each=each_of_factory(settings))
        watchers += (LowerPriority(), OriginalLimit(before))
    processes = TwistedProcesses(reactor, reactor, base_env=environment, watchers=watchers)
    processes.demand()
    return processes


async def _make_tmpdir(path: Path, journal: Journal, threads: Threads) -> None:
    """Make it writable for all, as /tmp is: not all children are of one user."""

    def make() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()
        path.chmod(0o1777)

    await journal.add_workspace(path)
    try:
        await threads.run(make)
    except OSError as error:
        await journal.drop_workspace(path)
        hint = "make it writable for this user, or name another one with --tmpdir"
        raise FactoryError(
            f"no temporary files can be made there: {error.strerror}", where=str(path.parent), hint=hint
        ) from None


def _demand_writable(state_dir: Path) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(state_dir, os.W_OK | os.X_OK) or os.statvfs(state_dir).f_flag & os.ST_RDONLY:
            raise PermissionError(13, "it cannot be written")
    except OSError as error:
        raise FactoryError(
            f"the state directory cannot be used: {error.strerror}",
            where=str(state_dir),
            hint="make it writable for this user, or name another one with --state_dir",
        ) from None
