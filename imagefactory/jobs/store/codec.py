"""Jobs and events as JSON texts, for the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from imagefactory.jobs.interface import JobEvent
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation, Queued, Running, State
from imagefactory.model.report import StageOutcome

_STATES: dict[str, type[Queued] | type[Running] | type[Completed] | type[Failed]] = {
    "queued": Queued,
    "running": Running,
    "completed": Completed,
    "failed": Failed,
}
_NAMES = {cls: name for name, cls in _STATES.items()}


class Damaged(Exception):
    """A stored text was not written by this module."""


def state_name(state: State) -> str:
    """Returns the word for the state: queued, running, completed or failed."""
    return _NAMES[type(state)]


def encode_job(job: Job) -> str:
    """Returns one line of JSON."""
    return json.dumps({**asdict(job), "state": {"is": state_name(job.state), **asdict(job.state)}})


def decode_job(text: str) -> Job:
    """Returns the job that `encode_job` wrote.

    Raises Damaged.
    """
    try:
        fields = json.loads(text)
        stages = tuple(_stage(stage) for stage in fields.pop("stages"))
        state, operation = _state(fields.pop("state")), Operation(fields.pop("operation"))
        return Job(**fields, state=state, operation=operation, stages=stages)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(f"{type(error).__name__}: {error}") from error


def encode_event(event: JobEvent) -> str:
    """Returns one line of JSON: the job as it was then."""
    return encode_job(event.job)


def decode_event(id: int, time: float, kind: str, text: str) -> JobEvent:
    """Returns the event of those columns.

    Raises Damaged.
    """
    return JobEvent(id, time, decode_job(text), kind)


def _stage(fields: Mapping[str, Any]) -> StageOutcome:
    return StageOutcome(**{**fields, "changed": tuple(fields["changed"])})


def _state(fields: dict[str, Any]) -> State:
    cls = _STATES[fields.pop("is")]
    if cls is Failed:
        return Failed(Failure(**fields["failure"]))
    return cls(**fields)
