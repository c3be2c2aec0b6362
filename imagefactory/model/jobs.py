"""Jobs as values: what was asked, and in which state it is.

A state is a class that carries its data: a completed job has a result, a failed one has a failure. The spellings on
the wire (`NEW`, `BUILDING`, `PUSHING`, `COMPLETED`, `FAILED`) are those of API 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from imagefactory.model.report import StageOutcome


class Operation(StrEnum):
    """What a job does."""

    BUILD = "build"
    PUSH = "push"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job ended without a result.

    Attributes:
        incident: set for unexpected errors; searchable in the log.
        kind: the name of the error's class in `lib.errors`; empty if it has none.
    """

    message: str
    hint: str = ""
    incident: str = ""
    cancelled: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """Accepted, waiting for a place."""

    wire = "NEW"


@dataclass(frozen=True, slots=True)
class Running:
    """At work; a retry of the job starts after its last finished stage."""

    wire: str  # BUILDING, PUSHING or DELETING


@dataclass(frozen=True, slots=True)
class Completed:
    """Done.

    `identifier` is what the cloud calls the result of a push; `size` the bytes of a built image.
    """

    identifier: str = ""
    size: int | None = None
    wire = "COMPLETED"


@dataclass(frozen=True, slots=True)
class Failed:
    """Ended without a result."""

    failure: Failure
    wire = "FAILED"


State = Queued | Running | Completed | Failed


def is_final(state: State) -> bool:
    """Returns whether nothing will change any more (old clients know exactly COMPLETED and FAILED as final)."""
    return isinstance(state, Completed | Failed)


@dataclass(frozen=True, slots=True)
class Job:
    """One job at one moment.

    A build job's id is its target image's id, a push job's id is its provider image's id. Times are Unix seconds.

    Attributes:
        target_image_id: the image that is pushed, or that was; None for a build.
        provider: None for a build.
        provider_image_id: the image that is deleted at its provider; None for other jobs.
        owner: the key of the client that asked for it; None: everybody's.
        percent: 0 to 100.
    """

    id: str
    operation: Operation
    target: str
    image_id: str
    build_id: str
    created: float
    state: State = field(default_factory=Queued)
    target_image_id: str | None = None
    provider: str | None = None
    provider_account_identifier: str | None = None
    template_id: str | None = None
    percent: int = 0
    activity: str = ""
    stages: tuple[StageOutcome, ...] = ()
    started: float | None = None
    ended: float | None = None
    provider_image_id: str | None = None
    owner: str | None = None

    def with_stage(self, outcome: StageOutcome) -> Job:
        """This job with `outcome` noted, in place of an earlier word on the same stage."""
        kept = tuple(stage for stage in self.stages if stage.kind != outcome.kind)
        return replace(self, stages=(*kept, outcome))
