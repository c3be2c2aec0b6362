"""Limits how much is done at once: first come, first served."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import Deferred


class Queue:
    """Hands out `places` in order of arrival; None: without a limit.

    Members of one party share a place: one that joins a party with a place does not wait.
    """

    def __init__(self, places: int | None) -> None:
        self._free = places
        self._inside: Counter[str] = Counter()  # members at work, by party
        self._waiting: dict[str, tuple[str, Deferred[None]]] = {}

    @asynccontextmanager
    async def place(self, id: str, party: str = "") -> AsyncIterator[None]:
        """Wait for a place and keep it for the block. Cancelled while it waits, `id` leaves the queue.

        Args:
            party: whose place it shares; its own without one.
        """
        party = party or id
        await self._enter(id, party)
        try:
            yield
        finally:
            self._leave(party)

    def position(self, id: str) -> int | None:
        """Returns the position of `id`, 1 for the next one; None if it does not wait here."""
        if id not in self._waiting:
            return None
        return list(self._waiting).index(id) + 1

    async def _enter(self, id: str, party: str) -> None:
        if self._free is None:
            return
        turn: Deferred[None] = Deferred(lambda _: self._waiting.__delitem__(id))
        self._waiting[id] = (party, turn)
        if self._inside[party]:
            self._admit(party)
        self._fill()
        await turn

    def _leave(self, party: str) -> None:
        if self._free is None:
            return
        self._inside[party] -= 1
        if not self._inside[party]:
            self._free += 1
            self._fill()

    def _fill(self) -> None:
        self._inside = +self._inside  # without parties that have left
        while self._free and self._waiting:
            self._free -= 1
            party, _ = next(iter(self._waiting.values()))
            self._admit(party)

    def _admit(self, party: str) -> None:
        """Admit all waiting members of a party that has a place."""
        ids = [id for id, (wanted, _) in self._waiting.items() if wanted == party]
        turns = [self._waiting.pop(id)[1] for id in ids]
        self._inside[party] += len(turns)
        for turn in turns:
            turn.callback(None)
