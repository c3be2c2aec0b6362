"""Jobs, which version 1.0 calls builders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from imagefactory.jobs.interface import LogLine, RetryAccess
from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.model.jobs import Job, Operation, is_final
from imagefactory.model.visible import visible
from imagefactory.rest.call import RestCall
from imagefactory.rest.detached_work import begin
from imagefactory.rest.reply import TEXT, RestReply
from imagefactory.rest.stream import follow
from imagefactory.rest.v1.fields import flag_field, text_field
from imagefactory.rest.v1.schemas import JOB_STATUSES
from imagefactory.rest.v1.services import ApiServices

KIND = "builder"


async def index(api: ApiServices, call: RestCall) -> RestReply:
    """Returns all jobs, or those after an id or in a state, at most `limit`."""
    status = call.query("status") or None
    if status is not None and status.upper() not in JOB_STATUSES:
        raise InvalidInput("no such status", where="status", hint="one of " + ", ".join(JOB_STATUSES))
    limit = call.number("limit", low=1)
    jobs = await api.jobs.jobs(status=status and status.upper(), after=call.query("after") or None, limit=limit)
    return RestReply(_listing(api, jobs, await api.jobs.queue_positions(), call.url))


def _listing(api: ApiServices, jobs: Sequence[Job], positions: Mapping[str, int], url: str) -> Iterator[bytes]:
    """Makes a document of any length while it is sent; the jobs are values and do not change meanwhile."""
    yield json.dumps({"_type": "builders", "href": url})[:-1].encode() + b', "builders": ['
    for number, job in enumerate(jobs):
        yield (b", " if number else b"") + api.documents.full(job, KIND, f"{url}/{job.id}", positions.get(job.id))
    yield b"]}"


async def show(api: ApiServices, call: RestCall) -> RestReply:
    """Returns one job."""
    return RestReply(await api.documents.show(await api.jobs.job(call.ids["builder_id"]), KIND, call.url))


async def status(api: ApiServices, call: RestCall) -> RestReply:
    """Returns the status of a job, which clients poll."""
    job = await api.jobs.job(call.ids["builder_id"])
    return RestReply(api.documents.status(job, "builder_status", call.url))


async def cancel(api: ApiServices, call: RestCall) -> RestReply:
    """Cancel a job; replies without waiting for its end."""
    job = await api.jobs.job(call.ids["builder_id"])
    api.ownership.demand(call, job)
    if is_final(job.state):
        raise Conflict(f"the job is {job.state.wire} already", where=job.id)
    begin(api.tasks, api.jobs.cancel(job.id))
    return RestReply(await api.documents.show(await api.jobs.job(job.id), KIND, call.url), 202)


async def retry(api: ApiServices, call: RestCall) -> RestReply:
    """Run a failed job again; a push or a deletion needs its credentials again."""
    job = await api.jobs.job(call.ids["builder_id"])
    api.ownership.demand(call, job)
    job = await api.jobs.retry(job.id, await _access(api, call, job))
    return RestReply(await api.documents.show(job, KIND, call.url.removesuffix("/retry")), 202)


async def _access(api: ApiServices, call: RestCall, job: Job) -> RetryAccess | None:
    credentials = text_field(call.fields, "credentials")
    if job.operation is Operation.BUILD or not credentials:
        return None
    provider = await api.arguments.provider(text_field(call.fields, "provider") or job.provider or "")
    return RetryAccess(provider, api.arguments.credentials(credentials))


async def _log_line(line: LogLine) -> bytes:
    return visible(line.text).encode("utf-8", "replace") + b"\n"


async def log(api: ApiServices, call: RestCall) -> RestReply | None:
    """Writes the log of a job as text; with `follow` until the job has ended."""
    id = (await api.jobs.job(call.ids["builder_id"])).id
    after = call.number("after", 0) or 0
    following = flag_field({"follow": call.query("follow")}, "follow")
    if call.request.method == b"HEAD":
        return RestReply(b"", media=TEXT)
    async with api.streams.open(call.request, TEXT) as stream:
        await follow(
            stream,
            after,
            fetch=lambda last: api.jobs.log(id, after=last),
            subscribe=lambda listener: api.jobs.on_line(id, listener),
            number=lambda line: line.number,
            encode=_log_line,
            end=partial(api.jobs.finished, id) if following else None,
        )
    return None
