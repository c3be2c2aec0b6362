"""What everything stands on: threads, child processes, and the journal of what they left."""

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
from imagefactory.lib.process.supervise import TwistedProcesses, Watcher, base_environment
from imagefactory.lib.process.trees import remove_tree
from imagefactory.lib.process.watchdog import Watchdog
from imagefactory.lib.process.workspaces import Workspaces
from imagefactory.lib.runtime.descriptors import Unraised, make_room
from imagefactory.lib.runtime.priority import Yielding
from imagefactory.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """See the module; `builds` makes workspaces below imgdir, `tmpdir` is this run's own directory for what programs
    leave about.

    `token` names this run, `alive` tells whether the run of a token still lasts (and blocks).
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


async def lay(settings: Settings, reactor: Any, stack: AsyncExitStack, *, daemon: bool) -> Runtime:
    """Start it, clear away what dead runs left; `stack` ends it in reverse order.

    A `daemon` has many clients, who come before its builds.
    """
    pools = ThreadPools(reactor, yielding=daemon)
    pools.start()
    stack.push_async_callback(pools.stop)
    threads = pools.database
    names = NameResolver(reactor)
    names.start()
    stack.push_async_callback(names.stop)
    directory = settings.state_dir / "journal"
    await threads.run(_demand_writable, settings.state_dir)
    journal = await Journal.open(directory, threads)
    stack.push_async_callback(journal.close)
    tmpdir = settings.tmpdir / f"imagefactory-{journal.token[:12]}"
    environment = {**base_environment(Path.home(), tmpdir), **journal.environment}
    watchdog = Watchdog(reactor, base_env=environment)
    watchdog.start()
    stack.push_async_callback(watchdog.stop)
    watchers: tuple[Watcher, ...] = (journal, watchdog)
    if daemon:  # at a terminal all wait for the build
        watchers += (Yielding(), Unraised(make_room(settings.max_connections, each=each_of_factory(settings))))
    processes = TwistedProcesses(reactor, reactor, base_env=environment, watchers=watchers)
    processes.demand()
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


async def _make_tmpdir(path: Path, journal: Journal, threads: Threads) -> None:
    """As /tmp is: the children are not all of one user."""

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
