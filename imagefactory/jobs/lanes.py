"""First come, first served: how many jobs run at once."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Lane:
    """A queue with `places` at its end; None: nobody waits."""

    def __init__(self, places: int | None) -> None:
        self._free = places
        self._waiting: dict[str, Deferred[None]] = {}

    async def enter(self, id: str) -> None:
        """Fires when a place is there; cancelled, the job leaves the queue without having had one."""
        if self._free is None:
            return
        if self._free > 0:
            self._free -= 1
            return
        turn: Deferred[None] = Deferred(lambda _: self._waiting.__delitem__(id))
        self._waiting[id] = turn
        await turn

    def leave(self) -> None:
        """Give the place back; who waits longest gets it."""
        if self._free is None:
            return
        if not self._waiting:
            self._free += 1
            return
        turn = self._waiting.pop(next(iter(self._waiting)))
        turn.callback(None)

    def position(self, id: str) -> int | None:
        """1 is next; None: does not wait here."""
        if id not in self._waiting:
            return None
        return list(self._waiting).index(id) + 1
