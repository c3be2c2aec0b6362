"""Trees that a stage has just made, kept for the stage that comes next.

The cache has them as archives; to unpack one right after it was packed would cost a cold build a good part of its time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from imagefactory.lib.concurrency.event import Event
from imagefactory.lib.concurrency.shared import SharedRuns
from imagefactory.lib.concurrency.shield import shield
from imagefactory.lib.process.workspaces import Workspaces


class TreePool:
    """Rooms (workspaces with a tree in them) by the digest of the stage that made the tree.

    A room is kept while a job runs that may want it. It is given away to the first that asks, or lent to all whose own
    trees can be laid over it.
    """

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._kept: dict[str, Path] = {}
        self._wanted: Counter[str] = Counter()
        self._filling: SharedRuns[str, None] = SharedRuns()
        self._shown: dict[str, Event[None]] = {}
        self._shown_rooms: set[Path] = set()  # of stages that are still being made

    def want(self, digests: Sequence[str]) -> None:
        """The trees of these stages are kept from now on, until `leave` has been called as often."""
        self._wanted.update(digests)

    async def leave(self, digests: Sequence[str]) -> None:
        """Trees that nobody wants any more are removed."""
        self._wanted.subtract(digests)
        await shield(self._sweep(digests))

    @asynccontextmanager
    async def room(self, name: str, parent: str = "", own: str = "") -> AsyncIterator[tuple[Path, bool]]:
        """A room for one stage, and whether the tree of stage `parent` is in it already.

        When the stage has succeeded the room is kept as that of stage `own`, if anybody wants it.
        """
        kept = self._give(parent)
        room = kept or await self._workspaces.make(name)
        try:
            yield room, kept is not None
            self.show(own, room)
        finally:
            if room in self._shown_rooms:
                self._shown_rooms.remove(room)
            else:
                await shield(self._workspaces.remove(room))

    def _give(self, digest: str) -> Path | None:
        room = self._kept.pop(digest, None)
        if room is not None:
            self._shown.pop(digest, None)
        return room

    def show(self, own: str, room: Path) -> None:
        """Keep the room as that of stage `own` from now on, if anybody wants it.

        Its tree is not changed any more, although the stage itself may not be done, or even fail.
        """
        if self._wanted[own] > 0 and own not in self._kept:
            self._kept[own] = room
            self._shown_rooms.add(room)
            self.shown(own).fire(None)

    def shown(self, digest: str) -> Event[None]:
        """Happens when there is a room of that stage, which the caller wants."""
        return self._shown.setdefault(digest, Event())

    async def lend(self, name: str, digest: str, fill: Callable[[Path], Awaitable[None]]) -> Path:
        """The room of stage `digest`, which the caller wants and does not change; `fill` if there is none yet."""

        async def make() -> None:
            async with self.room(name, "", digest) as (room, _):
                await fill(room)

        while digest not in self._kept:
            await self._filling.run(digest, make)
        return self._kept[digest]

    async def _sweep(self, digests: Sequence[str]) -> None:
        for digest in digests:
            if self._wanted[digest] <= 0:
                del self._wanted[digest]
                room = self._give(digest)
                self._shown.pop(digest, None)
                if room is not None:
                    await self._workspaces.remove(room)
