"""Jobs, which version 1.0 calls builders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial

from imagefactory.jobs.interface import Jobs
from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.model.jobs import Job, is_final
from imagefactory.rest.accepting import accept, begin
from imagefactory.rest.call import Call
from imagefactory.rest.reply import TEXT, Reply
from imagefactory.rest.stream import Streams, follow
from imagefactory.rest.v1.documents import JobDocuments
from imagefactory.rest.v1.fields import flag_field

KIND = "builder"
STATUSES = ("NEW", "BUILDING", "PUSHING", "COMPLETED", "FAILED")


class Builders:
    """The family `/builders`."""

    def __init__(self, jobs: Jobs, documents: JobDocuments, streams: Streams) -> None:
        self._jobs = jobs
        self._documents = documents
        self._streams = streams

    def index(self, call: Call) -> Reply:
        """All jobs, or those after an id, in a state, at most so many."""
        status = call.query("status") or None
        if status is not None and status.upper() not in STATUSES:
            raise InvalidInput("no such status", where="status", hint="one of " + ", ".join(STATUSES))
        limit = call.number("limit", low=1)
        jobs = self._jobs.jobs(status=status and status.upper(), after=call.query("after") or None, limit=limit)
        return Reply(self._listing(jobs, call.url))

    def _listing(self, jobs: Sequence[Job], url: str) -> Iterator[bytes]:
        """A document of any length, made while it is sent: the jobs are values and stay as they were."""
        yield json.dumps({"_type": "builders", "href": url})[:-1].encode() + b', "builders": ['
        for number, job in enumerate(jobs):
            yield (b", " if number else b"") + self._documents.full(job, KIND, f"{url}/{job.id}")
        yield b"]}"

    def show(self, call: Call) -> Reply:
        """One job."""
        return Reply(self._documents.full(self._jobs.job(call.ids["builder_id"]), KIND, call.url))

    def status(self, call: Call) -> Reply:
        """Where it stands: what clients poll."""
        return Reply(self._documents.status(self._jobs.job(call.ids["builder_id"]), "builder_status", call.url))

    def cancel(self, call: Call) -> Reply:
        """Ask it to end, and answer without waiting for that."""
        job = self._jobs.job(call.ids["builder_id"])
        if is_final(job.state):
            raise Conflict(f"the job is {job.state.wire} already", where=job.id)
        begin(self._jobs.cancel(job.id))
        return Reply(self._documents.full(self._jobs.job(job.id), KIND, call.url), 202)

    async def retry(self, call: Call) -> Reply:
        """Run a failed build again."""
        job = await accept(self._jobs.retry(call.ids["builder_id"]))
        return Reply(self._documents.full(job, KIND, call.url.removesuffix("/retry")), 202)

    async def log(self, call: Call) -> Reply | None:
        """Its log as text; with `follow` until the job has ended."""
        id = self._jobs.job(call.ids["builder_id"]).id
        after = call.number("after", 0) or 0
        following = flag_field({"follow": call.query("follow")}, "follow")
        if call.request.method == b"HEAD":
            return Reply(b"", media=TEXT)
        async with self._streams.open(call.request, TEXT) as stream:
            await follow(
                stream,
                after,
                fetch=lambda last: self._jobs.log(id, after=last),
                subscribe=lambda listener: self._jobs.on_line(id, listener),
                number=lambda line: line.number,
                encode=lambda line: line.text.encode("utf-8", "replace") + b"\n",
                end=partial(self._jobs.finished, id) if following else None,
            )
        return None
