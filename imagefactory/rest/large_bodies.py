"""Requests with large bodies: to read their fields, and to prove a signature over them, takes seconds at worst."""

from __future__ import annotations

from twisted.internet.defer import DeferredLock

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Busy
from imagefactory.lib.oauth.memory import Seen
from imagefactory.rest.authentication import Authenticator
from imagefactory.rest.call import Call

#: Bytes of a body that are read at once, on the reactor thread.
SMALL = 64 << 10
#: So many may wait for the one that is read.
MOST_WAITING = 32


class LargeBodies:
    """Reads them in a thread, one at a time: what strangers send shall not keep all threads busy."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._one = DeferredLock()

    async def read(self, call: Call, gate: Authenticator, *, fields: bool) -> None:
        """Ask the gate; with `fields` these are read, too, and `call` has them at hand afterwards.

        Raises Unauthorized (at once, if the body need not be looked at for that), InvalidInput, Busy.
        """
        gate.glance(call)
        if len(self._one.waiting) >= MOST_WAITING:
            raise Busy("too many large requests at once", hint="try again later")
        async with self._one:
            seen = await self._threads.run(_read, call, gate, fields)
        gate.accept(seen)


def _read(call: Call, gate: Authenticator, fields: bool) -> Seen | None:
    seen = gate.examine(call)
    if fields:
        call.fields  # noqa: B018 - it remembers them
    return seen
