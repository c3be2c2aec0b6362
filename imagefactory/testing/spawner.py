"""A reactor's `spawnProcess` and the kernel's kill, played by a test on a clock of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IProcessTransport)
class FakeProcess:
    """One child that never ran.

    The test says what it prints (`out`, `err`) and how it ends (`exit`). It dies of the signals in `obeys` at once,
    `stragglers` keep its output open until they are killed.
    """

    def __init__(self, spawner: FakeSpawner, protocol: Any, pid: int, argv: tuple[str, ...]) -> None:
        self.pid = pid
        self.status: int | None = None
        self.argv = argv
        self.stdin = b""
        self.stdin_closed = False
        self.hung_up = False
        self.stragglers = False
        self.obeys = {signal.SIGTERM, signal.SIGKILL}
        self.signals: list[tuple[float, int]] = []
        self._spawner = spawner
        self._protocol = protocol
        self._reason: Failure | None = None
        self._over = False

    @property
    def alive(self) -> bool:
        """Whether the child or one of its group still runs."""
        return self._reason is None or self.stragglers

    def out(self, data: bytes) -> None:
        """It prints on stdout."""
        self._protocol.childDataReceived(1, data)

    def err(self, data: bytes) -> None:
        """It prints on stderr."""
        self._protocol.childDataReceived(2, data)

    def exit(self, code: int | None = 0, number: int | None = None) -> None:
        """The child itself exits, or dies of a signal."""
        error = ProcessTerminated(code, number) if code or number else ProcessDone(0)
        self._reason = Failure(error)
        self._protocol.processExited(self._reason)
        self._end_if_closed()

    def signalled(self, number: int) -> None:
        """A signal for the group arrives."""
        self.signals.append((self._spawner.clock.seconds(), number))
        if number == signal.SIGKILL:
            self.stragglers = False
        if self._reason is None and number in self.obeys:
            self.exit(None, number)
        self._end_if_closed()

    def _end_if_closed(self) -> None:
        if self._reason is not None and not self._over and (self.hung_up or not self.stragglers):
            self._over = True
            self._protocol.processEnded(self._reason)

    def write(self, data: bytes) -> None:
        self.stdin += data

    def writeSequence(self, data: Iterable[bytes]) -> None:  # noqa: N802 - the interface's name
        self.stdin += b"".join(data)

    def closeStdin(self) -> None:  # noqa: N802 - the interface's name
        self.stdin_closed = True

    def loseConnection(self) -> None:
        self.hung_up = True
        self._end_if_closed()

    def signalProcess(self, signal: str | int) -> None:  # noqa: N802 - the interface's name
        raise AssertionError("the group is to be signalled, not the process")

    def closeStdout(self) -> None:  # noqa: N802 - the interface's name
        raise NotImplementedError

    def closeStderr(self) -> None:  # noqa: N802 - the interface's name
        raise NotImplementedError

    def closeChildFD(self, descriptor: int) -> None:  # noqa: N802 - the interface's name
        raise NotImplementedError

    def writeToChild(self, childFD: int, data: bytes) -> None:  # noqa: N802, N803 - the interface's names
        raise NotImplementedError

    def getPeer(self) -> Any:
        raise NotImplementedError

    def getHost(self) -> Any:
        raise NotImplementedError


@implementer(IReactorProcess)
class FakeSpawner:
    """Remembers what was to be started in `processes`, `environments` and `paths`; `kill` and `lives` are its
    kernel."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.processes: list[FakeProcess] = []
        self.environments: list[dict[str, str]] = []
        self.paths: list[str | None] = []
        self.refuses: OSError | None = None

    def spawnProcess(  # noqa: PLR0917 - the interface's
        self,
        processProtocol: IProcessProtocol,  # noqa: N803 - the interface's name
        executable: Any,
        args: Any = (),
        env: Mapping[Any, Any] | None = None,
        path: Any = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: Any = False,  # noqa: N803 - the interface's name
        childFDs: Any = None,  # noqa: N803 - the interface's name
    ) -> IProcessTransport:
        if self.refuses is not None:
            raise self.refuses
        process = FakeProcess(self, processProtocol, 1000 + len(self.processes), tuple(args))
        self.processes.append(process)
        self.environments.append(dict(env or {}))
        self.paths.append(path)
        processProtocol.makeConnection(process)
        return process

    def kill(self, pid: int, number: int) -> None:
        """As os.kill for groups."""
        process = self._group(-pid)
        if process is None:
            raise ProcessLookupError(pid)
        if number:
            process.signalled(number)

    def lives(self, group: int) -> bool:
        """Whether anybody in the group runs."""
        return self._group(group) is not None

    def _group(self, pid: int) -> FakeProcess | None:
        return next((one for one in self.processes if one.pid == pid and one.alive), None)
