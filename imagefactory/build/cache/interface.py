"""The cache of stage results, as the stages of a build see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from imagefactory.model.report import Progress, StageOutcome


@dataclass(frozen=True, slots=True)
class StageKey:
    """What a stage result depends on.

    `digest` is over kind, parent and inputs (sorted); equal digests mean equal results.
    """

    kind: str  # base, customise, adapt
    inputs: Mapping[str, str]
    parent: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A finished stage in the cache: one immutable file and small facts about it.

    `content` is its digest as in `imagefactory.lib.files.content`. Held (not evicted) until `release()`.
    """

    key: StageKey
    path: Path
    content: str
    size: int
    facts: Mapping[str, str] = field(default_factory=dict)


Producer = Callable[[Path, Progress], Awaitable[Mapping[str, str]]]
"""Makes the result at the path given (a file, not yet there) and returns the facts to keep beside it."""


class StageCache(Protocol):
    """Same key, same result: made once, for all jobs of all processes."""

    def look(self, key: StageKey) -> StageOutcome:
        """Would it be a hit?

        For a miss, which inputs changed against the nearest entry of this kind. Changes nothing.
        """
        ...

    async def obtain(self, key: StageKey, produce: Producer, progress: Progress) -> Entry:
        """The entry of `key`: from the cache, from a run that makes it now (all waiters get its reports), or made.

        The run is cancelled only when all that wait for it are. A damaged entry is made again.
        """
        ...

    def release(self, entry: Entry) -> None:
        """Give the entry back; it may be evicted from now on."""
        ...
