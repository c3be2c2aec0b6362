"""What everything stands on: threads, child processes, and the journal of what they left."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagefactory.concurrency.threads import PoolThreads, Threads
from imagefactory.jobs.workspaces import Workspaces
from imagefactory.model.errors import FactoryError
from imagefactory.process.interface import Privilege, Processes
from imagefactory.process.journal import Journal
from imagefactory.process.privilege import find_privilege
from imagefactory.process.reap import reap
from imagefactory.process.supervise import TwistedProcesses, base_environment
from imagefactory.process.trees import remove_tree
from imagefactory.process.watchdog import Watchdog
from imagefactory.settings import Settings

THREADS = 8


@dataclass(frozen=True, slots=True)
class Ground:
    """See the module; `builds` makes workspaces below imgdir, `short` below tmpdir (sockets want short paths)."""

    threads: Threads
    processes: Processes
    privilege: Privilege
    builds: Workspaces
    short: Workspaces


async def lay(settings: Settings, reactor: Any, stack: AsyncExitStack) -> Ground:
    """Start it, clear away what dead runs left; `stack` ends it in reverse order."""
    threads = PoolThreads(reactor, size=THREADS)
    threads.start()
    stack.push_async_callback(threads.stop)
    directory = settings.state_dir / "journal"
    await threads.run(_demand_writable, settings.state_dir)
    journal = await Journal.open(directory, threads)
    stack.push_async_callback(journal.close)
    environment = {**base_environment(Path.home(), settings.tmpdir), **journal.environment}
    watchdog = Watchdog(reactor, base_env=environment)
    watchdog.start()
    stack.push_async_callback(watchdog.stop)
    processes = TwistedProcesses(reactor, reactor, base_env=environment, watchers=(journal, watchdog))
    privilege = await find_privilege(processes, threads)
    await reap(directory, threads=threads, clock=reactor, processes=processes, privilege=privilege)

    async def remove(path: Path) -> None:
        await remove_tree(path, processes, privilege)

    builds, short = (Workspaces(path, journal, remove, threads) for path in (settings.imgdir, settings.tmpdir))
    return Ground(threads, processes, privilege, builds, short)


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
