"""Events of jobs: their ids, their order, and who listens.

Ids are given once, also when the process that gave them is killed: they are reserved in blocks. An event may be sent
before it is written, and is lost if the process is killed in between; its id is not used again, so that a client that
reconnects with it misses no later event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from twisted.logger import Logger

from imagefactory.jobs.interface import JobEvent, Unsubscribe
from imagefactory.jobs.store.batch_writer import BatchWriter
from imagefactory.jobs.store.interface import JobStore
from imagefactory.lib.concurrency.clock import Clock
from imagefactory.lib.concurrency.taskset import TaskSet
from imagefactory.lib.errors import FactoryError
from imagefactory.model.jobs import Job

T = TypeVar("T")

BLOCK = 1000
"""How many ids are reserved at once."""


class Listeners(Generic[T]):
    """Listeners, called in the order in which they came."""

    _log = Logger()

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[T], None]] = {}

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: Callable[[T], None]) -> Unsubscribe:
        """Call `listener` from now on, until the returned function is called (any number of times)."""
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None

    def notify(self, message: T) -> None:
        """Give `message` to all of them; what one raises is logged and reaches no other."""
        for key, listener in list(self._listeners.items()):
            if key in self._listeners:
                try:
                    listener(message)
                except Exception:
                    self._log.failure("a listener failed")


class EventIds:
    """The ids of this process, growing."""

    _log = Logger()

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._last = 0
        self._end = 0
        self._spare: tuple[int, int] | None = None
        self._reserving = False
        self._tasks = TaskSet("the job service")

    async def open(self) -> int:
        """Begin after all reserved ids; returns the highest id that may have been used."""
        self._last = self._end = await self._store.last_event()
        await self._reserve()
        self._switch()
        return self._last

    async def close(self) -> None:
        """Reserve no more; ids are given all the same."""
        await self._tasks.close()
        self._reserving = True

    def take(self) -> int:
        """Returns the next id; while the store fails, a later start may use it again."""
        if self._last >= self._end:
            self._switch()
        self._last += 1
        if self._spare is None and self._end - self._last < BLOCK // 2 and not self._reserving:
            self._tasks.add(self._reserve())
        return self._last

    async def go_beyond(self, id: int) -> None:
        """Continue above `id`, the id of an event of another process that was sent."""
        if id > self._end:
            self._spare = None
            await self._reserve()
            self._switch()

    async def _reserve(self) -> None:
        self._reserving = True
        try:
            first = await self._store.reserve_events(BLOCK)
            self._spare = first, first + BLOCK
        except FactoryError as error:
            self._log.error("no ids of events can be reserved: {error}", error=error)
        finally:
            self._reserving = False

    def _switch(self) -> None:
        if self._spare is not None and self._spare[0] >= self._last:
            self._last, self._end = self._spare
        self._spare = None


@dataclass(slots=True)
class PendingEvent:
    """An event in its order; one that is not `due` yet holds up those behind it."""

    event: JobEvent
    due: bool


class EventPublisher:
    """Gives events their ids, writes them, and notifies listeners in the order of the ids.

    A client that comes back asks for what is above the last id that it has seen, so that none may come before a lower
    one.
    """

    def __init__(self, store: JobStore, writer: BatchWriter, clock: Clock) -> None:
        self._ids = EventIds(store)
        self._writer = writer
        self._clock = clock
        self._pending: deque[PendingEvent] = deque()
        self._listeners = Listeners[JobEvent]()
        self.last = 0
        """The id of the newest event."""

    async def open(self) -> None:
        """Go on counting where the store stands."""
        self.last = await self._ids.open()

    async def close(self) -> None:
        """Leave the store alone from now on."""
        await self._ids.close()

    def publish(self, job: Job, kind: str) -> None:
        """An event of this process that may be seen now."""
        self.announce(job, kind).due = True
        self.release()

    def announce(self, job: Job, kind: str) -> PendingEvent:
        """An event of this process that may be seen when it is `due`; returns it."""
        pending = self._append(job, kind, due=False)
        self._writer.event(pending.event)
        return pending

    def relay(self, job: Job) -> None:
        """An event of another process, which writes it."""
        self._append(job, "job", due=True)
        self.release()

    def withdraw(self, pending: PendingEvent) -> None:
        """An announced event that is not to be seen after all."""
        self._pending.remove(pending)

    def release(self) -> None:
        """Notify listeners of what is due and not held up."""
        while self._pending and self._pending[0].due:
            self._listeners.notify(self._pending.popleft().event)

    def subscribe(self, listener: Callable[[JobEvent], None]) -> Unsubscribe:
        """See `Jobs.on_event`."""
        return self._listeners.add(listener)

    async def go_beyond(self, id: int) -> None:
        """Give only ids above `id` from now on."""
        await self._ids.go_beyond(id)

    def _append(self, job: Job, kind: str, *, due: bool) -> PendingEvent:
        self.last = self._ids.take()
        pending = PendingEvent(JobEvent(self.last, self._clock.seconds(), job, kind), due)
        self._pending.append(pending)
        return pending
