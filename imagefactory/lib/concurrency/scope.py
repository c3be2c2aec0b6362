"""Several coroutines that end together."""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self, TypeVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.task import Task

T = TypeVar("T")


class Scope:
    """Children started in the block are over when the block is left.

        async with Scope() as scope:
            scope.start(serve())
            answer = await scope.start(ask())

    The first that fails, the block itself included, cancels all others once; leaving the block waits until every one
    has ended, and raises that first failure. Cancelling the block cancels the children once; further cancellations only
    wait. A child's failure interrupts the block where it awaits another child: anything else that takes long should be
    a child, too.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._children: set[Task[Any]] = set()
        self._empty: Event[None] | None = None
        self._first: Failure | None = None
        self._cancelled = False

    async def __aenter__(self) -> Self:
        return self

    def start(self, work: Awaitable[T]) -> Task[T]:
        """Run `work` as a child; in a scope that is ending it is cancelled at its first await."""
        task = Task(work)
        if not task.ended.fired:
            self._children.add(task)
        task.ended.wait().addCallbacks(lambda _: self._leave(task), lambda failure: self._failed(task, failure))
        if self._cancelled:
            task.cancel()
        return task

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            self._cancel_children()
        interruption = None
        if self._children:
            self._empty = Event()
            interruption = await self._empty.outlast(self._cancel_children)
        if interruption is not None and value is None:
            raise interruption
        if self._first is not None and (value is None or isinstance(value, CancelledError)):
            self._first.raiseException()

    def _failed(self, task: Task[Any], failure: Failure) -> None:
        if not self._cancelled:
            self._first = failure
            self._cancel_children()
        elif not isinstance(failure.value, CancelledError):
            self._log.emit(
                LogLevel.info if self._is_like_the_first(failure) else LogLevel.warn,
                "a cancelled step failed while it ended: {error!r}",
                error=failure.value,
            )
        self._leave(task)

    def _is_like_the_first(self, failure: Failure) -> bool:
        """Whether it is of the kind that the scope raises: several children often fail for one reason."""
        return self._first is not None and type(self._first.value) is type(failure.value)

    def _leave(self, task: Task[Any]) -> None:
        self._children.discard(task)
        if not self._children and self._empty is not None and not self._empty.fired:
            self._empty.fire(None)

    def _cancel_children(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        for child in tuple(self._children):
            child.cancel()
