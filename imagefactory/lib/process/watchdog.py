"""Kills the children of this process when it ends, however that happens.

The kernel kills a child whose parent ends (`setpriv --pdeathsig`), but not the child's own children. One small shell
per process knows all groups that run; when its standard input ends, this process has ended, and it kills what is left.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.process.tools import find_tool

SCRIPT = """\
groups=" "
while read -r sign group; do
    case $sign in
        +) groups="$groups$group " ;;
        -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do
    kill -KILL "-$group"
done
"""


class Watchdog:
    """A `ChildWatcher` between `start()` and `stop()`."""

    def __init__(self, spawner: IReactorProcess, *, base_env: Mapping[str, str]) -> None:
        self._spawner = spawner
        self._env = dict(base_env)
        self._shell: _Shell | None = None

    def start(self) -> None:
        """Start the shell; MissingTool if there is none."""
        self._shell = _Shell()
        argv = ("setsid", "--", "sh", "-c", SCRIPT)
        self._spawner.spawnProcess(self._shell, find_tool(argv[0], self._env["PATH"]), argv, env=self._env)

    async def stop(self) -> None:
        """End the shell and wait for that; it kills children that are left."""
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.close()
            await shell.gone.outlast()

    def started(self, pid: int) -> None:
        """See `ChildWatcher`."""
        if self._shell is not None:
            self._shell.tell(f"+ {pid}\n")

    def ended(self, pid: int) -> None:
        """See `ChildWatcher`."""
        if self._shell is not None:
            self._shell.tell(f"- {pid}\n")


class _Shell(ProcessProtocol):
    """The shell, which is told of groups on its standard input."""

    _log = Logger()

    def __init__(self) -> None:
        self.gone: Event[None] = Event()
        self._closed = False

    def tell(self, word: str) -> None:
        if not self.gone.fired:
            assert self.transport is not None
            self.transport.write(word.encode())

    def close(self) -> None:
        self._closed = True
        if not self.gone.fired:
            assert self.transport is not None
            self.transport.closeStdin()

    def processExited(self, reason: Failure) -> None:
        """Nothing to do before its pipes are closed."""

    def processEnded(self, reason: Failure) -> None:
        if not self._closed:
            self._log.warn("the watchdog died: {error}", error=reason.value)
        self.gone.fire(None)
