"""Background tasks that belong to something which ends them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import Unavailable

T = TypeVar("T")
_log = Logger()


def log_failure(failure: Failure) -> None:
    """Log what went wrong in the background; a cancelled task did what it was asked for."""
    if not failure.check(CancelledError):
        _log.failure("a background task failed", failure)


class TaskSet:
    """Owns tasks that go on when the one who started them does not wait.

    Unlike in a `Scope`, a failing task does not touch the others.

    Args:
        name: what the tasks belong to, for the error when it is closed ("the REST API").
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[Task[Any]] = set()
        self._empty: Event[None] | None = None

    def __len__(self) -> int:
        """How many are running."""
        return len(self._tasks)

    def add(self, work: Coroutine[Any, Any, T], *, on_failure: Callable[[Failure], object] = log_failure) -> Task[T]:
        """Run `work` as a task.

        Args:
            on_failure: called with its failure, whether anything awaits the task or not.

        Raises:
            Unavailable: it is closed; `work` is not run.
        """
        if self._empty is not None:
            work.close()
            raise Unavailable(f"{self._name} is stopping", hint="try again when it is up again")
        task = Task(work)
        if not task.ended.fired:
            self._tasks.add(task)
        task.ended.wait().addErrback(on_failure).addErrback(log_failure).addCallback(lambda _: self._forget(task))
        return task

    async def close(self) -> None:
        """Cancel each task once and wait until all have ended; from now on `add` refuses."""
        first = self._empty is None
        if self._empty is None:
            self._empty = Event()
        if first:
            for task in tuple(self._tasks):
                task.cancel()
        self._fire_if_empty()
        interruption = await self._empty.outlast()
        if interruption is not None:
            raise interruption

    def _forget(self, task: Task[Any]) -> None:
        self._tasks.discard(task)
        self._fire_if_empty()

    def _fire_if_empty(self) -> None:
        if self._empty is not None and not self._tasks and not self._empty.fired:
            self._empty.fire(None)
