"""Jobs as JSON documents.

A job value never changes, so its fields are encoded once; what differs from request to request (`_type`, `href`, the
place in the queue) goes in front of them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from imagefactory.model.jobs import Completed, Failed, Job, Queued
from imagefactory.model.report import StageOutcome
from imagefactory.model.times import timestamp

MOST_CACHED = 20_000


class JobDocuments:
    """Encodes jobs; keeps the encoded fields of each job's latest value."""

    def __init__(self, queue_position: Callable[[str], Awaitable[int | None]]) -> None:
        self._queue_position = queue_position
        self._encoded: dict[str, tuple[Job, bytes]] = {}

    async def show(self, job: Job, kind: str, href: str) -> bytes:
        """Returns all fields of a job, as it is or once was, with its present place in the queue; see `full`."""
        position = await self._queue_position(job.id) if isinstance(job.state, Queued) else None
        return self.full(job, kind, href, position)

    def full(self, job: Job, kind: str, href: str, position: int | None) -> bytes:
        """Returns all fields of a job.

        Args:
            kind: the `_type`.
            position: the place in the queue.
        """
        head = json.dumps({"_type": kind, "href": href, "queue_position": position})
        return head[:-1].encode() + b", " + self._fields(job)

    def status(self, job: Job, kind: str, href: str) -> bytes:
        """Returns the status of a job, for clients that poll."""
        return json.dumps({"_type": kind, "id": job.id, "href": href, "status": job.state.wire}).encode()

    def _fields(self, job: Job) -> bytes:
        known = self._encoded.get(job.id)
        if known is not None and known[0] is job:
            return known[1]
        if len(self._encoded) >= MOST_CACHED:
            self._encoded.clear()
        fields = json.dumps(job_fields(job))[1:].encode()
        self._encoded[job.id] = (job, fields)
        return fields


def job_fields(job: Job) -> dict[str, object]:
    """Returns the fields of version 1.0, then the additions."""
    return {
        "id": job.id,
        "operation": job.operation.value,
        "status": job.state.wire,
        "completed": int(job.percent),
        "target": job.target,
        "image_id": job.image_id,
        "build_id": job.build_id,
        "target_image_id": job.target_image_id,
        "provider_image_id": job.provider_image_id,
        "provider": job.provider,
        "provider_account_identifier": job.provider_account_identifier,
        "activity": job.activity,
        "error": _error(job),
        "target_identifier": job.state.identifier or None if isinstance(job.state, Completed) else None,
        "size": job.state.size if isinstance(job.state, Completed) else None,
        "created": timestamp(job.created),
        "started": timestamp(job.started),
        "ended": timestamp(job.ended),
        "stages": [stage_fields(stage) for stage in job.stages],
    }


def stage_fields(stage: StageOutcome) -> Mapping[str, object]:
    """Returns the document of a stage: where its result came from."""
    return {
        "stage": stage.kind,
        "key": stage.key,
        "hit": stage.hit,
        "changed": list(stage.changed),
        "seconds": stage.seconds,
    }


def _error(job: Job) -> Mapping[str, object] | None:
    if not isinstance(job.state, Failed):
        return None
    failure = job.state.failure
    return {
        "message": failure.message,
        "hint": failure.hint or None,
        "incident": failure.incident or None,
        "cancelled": failure.cancelled,
    }
