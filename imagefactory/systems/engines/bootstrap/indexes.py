"""Fetching the signed indexes of package sources: what a system depends on, in a few kilobytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import treq
from twisted.internet.defer import CancelledError
from twisted.web.iweb import IResponse

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.concurrency.scope import Scope
from imagefactory.lib.errors import FactoryError, TooLarge, Unavailable
from imagefactory.lib.secret import without_secrets
from imagefactory.systems.engines.interface import Http
from imagefactory.systems.families.interface import Source

LIMIT = 8 << 20  # bytes; the largest InRelease in use is 300 KiB
PATIENCE = 60.0  # seconds for one index
AT_ONCE = 6
HINT = "check the URL, or map it to another mirror with the setting mirrors"
GONE = {404, 403, 410}


class Indexes:
    """Finds out which sources there are, and the digest of each one's index."""

    def __init__(self, http: Http, clock: Clock, *, patience: float = PATIENCE, limit: int = LIMIT) -> None:
        self._http = http
        self._clock = clock
        self._patience = patience
        self._limit = limit

    async def digests(self, sources: Sequence[Source]) -> dict[Source, str]:
        """SHA-256 of each source's index, several fetched at once; an optional source that is not there is left out.

        Raises Unavailable (with the URL), TooLarge, and what the way there is closed with.
        """
        waiting = iter(dict.fromkeys(sources))
        found: dict[Source, bytes | None] = {}

        async def work() -> None:
            for source in waiting:
                found[source] = await self._fetch(source)

        async with Scope() as scope:
            for _ in range(AT_ONCE):
                scope.start(work())
        return {source: hashlib.sha256(data).hexdigest() for source in sources if (data := found[source]) is not None}

    async def _fetch(self, source: Source) -> bytes | None:
        try:
            return await timeout(self._clock, self._patience, self._read(source))
        except TimeoutError:
            raise Unavailable(
                f"no answer in {self._patience:g} seconds", where=without_secrets(source.index), hint=HINT
            ) from None
        except (FactoryError, CancelledError):
            raise
        except Exception as error:  # treq and Twisted have no common base for a failed exchange
            raise Unavailable(
                f"the mirror cannot be read: {_cause(error)}", where=without_secrets(source.index), hint=HINT
            ) from error

    async def _read(self, source: Source) -> bytes | None:
        for url in (source.index, *source.other_indexes):
            response = await self._http.get(url)
            data = await self._body(response, url)  # an error's, too: the connection is free only when it has been read
            if response.code == 200:
                return data
            if response.code not in GONE:
                raise Unavailable(f"the mirror answers {response.code}", where=without_secrets(url), hint=HINT)
        if source.optional:
            return None
        raise Unavailable(f"the mirror answers {response.code}", where=without_secrets(source.index), hint=HINT)

    async def _body(self, response: IResponse, url: str) -> bytes:
        data = bytearray()

        def collect(part: bytes) -> None:
            data.extend(part)
            if len(data) > self._limit:
                raise TooLarge(f"the index is larger than {self._limit} bytes", where=without_secrets(url), hint=HINT)

        await treq.collect(response, collect)
        return bytes(data)


def _cause(error: Exception) -> str:
    """Twisted wraps what went wrong with a request in lists of failures."""
    reasons = getattr(error, "reasons", None)
    return str(reasons[0].value) if reasons else str(error) or type(error).__name__
