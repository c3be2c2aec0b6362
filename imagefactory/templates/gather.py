"""Fetching all that one template refers to by URL, within bounds for the whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.errors import TooLarge, Unavailable

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many, how many bytes and how many seconds for all of them together."""

    count: int = 100
    size: int = 16 << 20
    seconds: float = 120


class Sources:
    """Fetches one after the other."""

    def __init__(self, bounds: Bounds, clock: Clock) -> None:
        self._bounds = bounds
        self._clock = clock

    async def gather(self, urls: Sequence[str], fetch: Fetch) -> dict[str, bytes]:
        """Returns what is at each URL.

        Raises TooLarge, Unavailable (too slow), and what `fetch` raises.
        """
        if len(urls) > self._bounds.count:
            hint = "send some of them inside of the template; template_sources sets this"
            raise TooLarge(f"the template refers to {len(urls)} URLs; {self._bounds.count} are allowed", hint=hint)
        try:
            return await timeout(self._clock, self._bounds.seconds, self._gather(urls, fetch))
        except TimeoutError:
            message = f"what the template refers to was not fetched in {self._bounds.seconds:g} seconds"
            raise Unavailable(message, hint="try again later; template_sources_timeout sets this") from None

    async def _gather(self, urls: Sequence[str], fetch: Fetch) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        size = 0
        for url in urls:
            found[url] = await fetch(url)
            size += len(found[url])
            if size > self._bounds.size:
                message = f"what the template refers to by URL has more than {self._bounds.size} bytes"
                raise TooLarge(message, hint="template_sources_limit sets this")
        return found
