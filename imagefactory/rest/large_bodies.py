"""Requests with large bodies: reading the fields and verifying a signature over them may take seconds."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import DeferredLock

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Busy
from imagefactory.rest.authentication import Scheme
from imagefactory.rest.call import RestCall

#: Bytes of a body that are read at once, on the reactor thread.
SMALL = 64 << 10
#: How many requests may wait for the one that is read.
MOST_WAITING = 32


class LargeBodies:
    """Reads them in a thread, one at a time, so that untrusted requests never occupy the whole pool."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._lock = DeferredLock()

    async def read(self, call: RestCall, scheme: Scheme[Any] | None, *, fields: bool) -> None:
        """Verify the request's credentials; with `fields` read these, too: `call` keeps them.

        Args:
            scheme: the one whose credentials were parsed (None: nothing is verified).

        Raises:
            Unauthorized, InvalidInput, Busy
        """
        if len(self._lock.waiting) >= MOST_WAITING:
            raise Busy("too many large requests at once", hint="try again later")
        async with self._lock:
            proof = await self._threads.run(_read, call, scheme, fields)
        if scheme is not None:
            await scheme.commit(proof)
            call.client = scheme.client(proof)


def _read(call: RestCall, scheme: Scheme[Any] | None, fields: bool) -> object:
    proof = None if scheme is None else scheme.verify(call)
    if fields:
        call.fields  # noqa: B018 - it remembers them
    return proof
