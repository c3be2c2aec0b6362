"""Work that a request starts and does not own: it goes on when the client hangs up, and belongs to the site's tasks.

Klein cancels a handler when its client hangs up. Here, and nowhere else, a hang-up is kept from the work. The shields
in the job service are about something else: steps that no cancellation may tear apart, be it the end of this process or
Ctrl-C at the command.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.errors import FactoryError

T = TypeVar("T")
_log = Logger()


async def outlast_client(tasks: TaskSet, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, which a hang-up does not cancel.

    Raises:
        CancelledError: the client hung up, then the work goes on, and its failure is logged; or `tasks` was closed,
            which cancelled the work.
        Unavailable: `tasks` is closed, the work was not begun.
    """
    unread = False

    def report(failure: Failure) -> None:
        if unread:
            _log_unread(failure)

    task = tasks.add(work, on_failure=report)
    try:
        return await task
    except CancelledError:
        unread = True
        raise


def begin(tasks: TaskSet, work: Coroutine[Any, Any, object]) -> None:
    """Start `work` and wait for nothing; what it raises at once is raised here, what it raises later is logged."""
    begun = False

    def report(failure: Failure) -> None:
        if begun:
            _log_unread(failure)

    task = tasks.add(work, on_failure=report)
    if task.ended.failure is not None:
        task.ended.failure.raiseException()
    begun = True


def _log_unread(failure: Failure) -> None:
    """Log a failure that no reply tells; an expected one needs no stack."""
    if failure.check(FactoryError, CancelledError):
        _log.info("a request that nobody waited for ended: {reason}", reason=failure.getErrorMessage())
    else:
        _log.failure("a request that nobody waited for failed", failure=failure)
