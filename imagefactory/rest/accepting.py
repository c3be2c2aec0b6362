"""Work that a request starts and does not own."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.task import Task
from imagefactory.lib.errors import FactoryError

T = TypeVar("T")
_log = Logger()


async def accept(work: Coroutine[Deferred[Any], Any, T]) -> T:
    """Await `work`; a client that hangs up stops only the waiting, the work goes on to its end."""
    task = Task(work)
    try:
        return await task
    except CancelledError:
        task.ended.wait().addErrback(note)
        raise


def begin(work: Coroutine[Deferred[Any], Any, T]) -> None:
    """Start `work` and wait for nothing; what it raises at once is raised here."""
    task = Task(work)
    if task.ended.failure is not None:
        task.ended.failure.raiseException()
    task.ended.wait().addErrback(note)


def note(failure: Failure) -> None:
    """Nobody waits for this failure any more: what was expected needs no stack."""
    if failure.check(FactoryError, CancelledError):
        _log.info("a request that nobody waited for ended: {reason}", reason=failure.getErrorMessage())
    else:
        _log.failure("a request that nobody waited for failed", failure=failure)
