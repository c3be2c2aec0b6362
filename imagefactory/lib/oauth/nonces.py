"""Used nonces: each signed request is good once."""

from __future__ import annotations

from collections.abc import Callable

from imagefactory.lib.errors import Busy
from imagefactory.lib.oauth.memory import Forgetful, Memory, Seen

MOST = 100_000
_FORGETFUL = Forgetful()


class Nonces:
    """Remembers nonces for as long as their timestamp is inside the window (seconds, both ways).

    Nonces of an earlier process, from `memory`, count, too. When it is full of living ones it raises Busy: forgetting
    would let replays in, and only signed requests get here.
    """

    def __init__(self, now: Callable[[], float], window: float, most: int = MOST, memory: Memory = _FORGETFUL) -> None:
        self._now = now
        self._window = window
        self._most = most
        self._memory = memory
        self._expiry: dict[Seen, float] = {seen: seen[1] + window for seen in memory.recall() if self.lives(seen)}

    def __len__(self) -> int:
        return len(self._expiry)

    def known(self, client: str, timestamp: int, nonce: str) -> bool:
        """Whether it was used."""
        return (client, timestamp, nonce) in self._expiry

    async def add(self, client: str, timestamp: int, nonce: str) -> None:
        """Remember it: `known` at once, and over a restart when this returns. Raises Busy."""
        self._forget_old()
        if len(self._expiry) >= self._most:
            raise Busy("too many signed requests at once", hint="try again in some minutes")
        seen = (client, timestamp, nonce)
        self._expiry[seen] = timestamp + self._window
        await self._memory.record(seen, self._expiry.keys())

    def lives(self, seen: Seen) -> bool:
        """Whether its timestamp is inside the window."""
        return abs(self._now() - seen[1]) <= self._window

    def _forget_old(self) -> None:
        """Oldest first; one with a timestamp ahead of time holds up others by at most two windows."""
        now = self._now()
        for key, expiry in list(self._first(16)):
            if expiry >= now:
                break
            del self._expiry[key]

    def _first(self, number: int) -> list[tuple[Seen, float]]:
        return [item for item, _ in zip(self._expiry.items(), range(number), strict=False)]
