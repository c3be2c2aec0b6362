"""Limits how much is done at once: first come, first served."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import Deferred


class Queue:
    """Hands out `places` in order of arrival; None: without a limit.

    Members of one group share a place: one that joins a group with a place does not wait.
    """

    def __init__(self, places: int | None) -> None:
        self._free = places
        self._inside: Counter[str] = Counter()  # members at work, by group
        self._waiting: dict[str, tuple[str, Deferred[None]]] = {}

    @asynccontextmanager
    async def place(self, id: str, group: str = "") -> AsyncIterator[None]:
        """Wait for a place and keep it for the block. Cancelled while it waits, `id` leaves the queue.

        Args:
            group: whose place it shares; its own without one.
        """
        group = group or id
        await self._enter(id, group)
        try:
            yield
        finally:
            self._leave(group)

    def position(self, id: str) -> int | None:
        """Returns the position of `id`, 1 for the next one; None if it does not wait here."""
        if id not in self._waiting:
            return None
        return list(self._waiting).index(id) + 1

    async def _enter(self, id: str, group: str) -> None:
        if self._free is None:
            return
        turn: Deferred[None] = Deferred(lambda _: self._waiting.__delitem__(id))
        self._waiting[id] = (group, turn)
        if self._inside[group]:
            self._admit(group)
        self._fill()
        await turn

    def _leave(self, group: str) -> None:
        if self._free is None:
            return
        self._inside[group] -= 1
        if not self._inside[group]:
            self._free += 1
            self._fill()

    def _fill(self) -> None:
        self._inside = +self._inside  # without parties that have left
        while self._free and self._waiting:
            self._free -= 1
            group, _ = next(iter(self._waiting.values()))
            self._admit(group)

    def _admit(self, group: str) -> None:
        """Admit all waiting members of a group that has a place."""
        ids = [id for id, (wanted, _) in self._waiting.items() if wanted == group]
        turns = [self._waiting.pop(id)[1] for id in ids]
        self._inside[group] += len(turns)
        for turn in turns:
            turn.callback(None)
