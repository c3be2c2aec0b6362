"""Events of jobs as Server-Sent Events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.defer import Deferred

from imagefactory.jobs.interface import JobEvent, Unsubscribe
from imagefactory.lib.errors import InvalidInput
from imagefactory.model.times import timestamp
from imagefactory.rest.call import RestCall
from imagefactory.rest.reply import RestReply
from imagefactory.rest.stream import follow
from imagefactory.rest.v1 import paths
from imagefactory.rest.v1.services import ApiServices

MEDIA = b"text/event-stream"
HEARTBEAT = b":\n\n"


async def stream(api: ApiServices, call: RestCall) -> RestReply | None:
    """Writes the events of all jobs or of one, from now on or from after the last one that the client has seen."""
    id = call.query("id") or None
    if id is not None:
        await api.jobs.job(id)
    after, base = await _last_seen(api, call), call.base
    if call.request.method == b"HEAD":
        return RestReply(b"", media=MEDIA)
    async with api.streams.open(call.request, MEDIA, HEARTBEAT) as stream:
        await follow(
            stream,
            after,
            fetch=lambda last: api.jobs.events(after=last, id=id),
            subscribe=lambda listener: _subscribe(api, id, listener),
            number=lambda event: event.id,
            encode=lambda event: _encode(api, event, base),
            end=Deferred,
        )
    return None


async def _last_seen(api: ApiServices, call: RestCall) -> int | None:
    """Returns the id of the last event that the client has seen; the header, which browsers send on reconnecting, wins.

    Ids begin anew with a new state directory: a client that has seen larger ones than there are gets all new events.
    """
    header = call.request.getHeader(b"last-event-id")
    if header is None:
        number = call.number("after")
    elif header.isdigit() and len(header) <= 15:
        number = int(header)
    else:
        raise InvalidInput("Last-Event-ID is no id of an event", hint="it is a number")
    return None if number is None else min(number, await api.jobs.last_event())


def _subscribe(api: ApiServices, id: str | None, listener: Callable[[JobEvent], None]) -> Unsubscribe:
    def mine(event: JobEvent) -> None:
        if event.job.id == id:
            listener(event)

    return api.jobs.on_event(listener if id is None else mine)


async def _encode(api: ApiServices, event: JobEvent, base: str) -> bytes:
    """Returns one event: its id, its kind, and the job as it was then, with its present place in the queue."""
    head = json.dumps({"event": event.id, "time": timestamp(event.time)})[:-1].encode()
    job = await api.documents.show(event.job, "builder", paths.builder(base, event.job.id))
    return b"id: %d\nevent: %s\ndata: %s, %s\n\n" % (event.id, event.kind.encode(), head, job[1:])
