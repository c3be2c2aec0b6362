"""The job service as its callers (command line, REST) see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Job, Operation
from imagefactory.model.providers import Provider
from imagefactory.model.report import StageOutcome
from imagefactory.model.template import Template


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Build `template` for `targets`.

    With `image_id` it is a rebuild (the image need not be known); with `build_id` the targets are added to that
    build. `template_id` is set when the template came from the warehouse. No template: the one of the image's last
    build; no targets: those of its last build, failed ones included. `owner`, here and below, is the key of the client
    that asks (None: every client may change what is made).
    """

    template: Template | None
    targets: tuple[str, ...] = ()
    image_id: str | None = None
    build_id: str | None = None
    template_id: str | None = None
    boot_check: bool = False
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class PushRequest:
    """Push to `provider`.

    With `target_image_id` that very image; else the build's (or, without `build_id`, the image's `latest_unpushed` or
    `latest_build`) target image of the provider's target.
    """

    provider: Provider
    credentials: Credentials | None = field(default=None, repr=False)
    image_id: str | None = None
    build_id: str | None = None
    target_image_id: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """How to remove a provider image.

    `provider` is only needed for one that was pushed to a provider defined in place: of that the name is all that was
    kept. With `keep_on_provider` the image stays there.
    """

    credentials: Credentials | None = field(default=None, repr=False)
    provider: Provider | None = None
    keep_on_provider: bool = False
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """Delete a provider image at its provider, and then its record."""

    provider_image_id: str
    provider: Provider
    credentials: Credentials | None = field(default=None, repr=False)
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class RetryAccess:
    """How a retry reaches the provider: nothing of that is kept between two tries."""

    provider: Provider
    credentials: Credentials | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Make known an image that a provider already has.

    `descriptor` is XML whose root is `image` with a `name`; None leaves that of a known image as it is, and names a new
    one after the identifier.
    """

    target: str
    provider: Provider
    target_identifier: str
    descriptor: bytes | None
    image_id: str | None = None
    build_id: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A build request was accepted: ids exist, work is queued.

    One job per target, in the order asked.
    """

    image_id: str
    build_id: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    image_id: str
    build_id: str
    target_image_id: str
    provider_image_id: str


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job.

    `id` grows by one per event over all jobs. `kind`: job (state, percent or activity changed), stage.
    """

    id: int
    time: float
    job: Job
    kind: str = "job"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a job's log; `number` counts from 1 within the job."""

    job: str
    number: int
    time: float
    text: str


Unsubscribe = Callable[[], None]


class Jobs(Protocol):
    """The job service.

    Accepting validates everything that can be known at once and raises; what happens later is in the job.
    """

    async def build(self, request: BuildRequest) -> Accepted: ...

    async def plan(self, request: BuildRequest) -> tuple[tuple[str, tuple[StageOutcome, ...]], ...]:
        """For each target its stages, hit or miss, without building anything."""
        ...

    async def push(self, request: PushRequest) -> Job: ...

    async def delete(self, request: DeleteRequest) -> Job: ...

    async def import_image(self, request: ImportRequest) -> Imported: ...

    @property
    def open(self) -> bool:
        """Whether new jobs are taken: not before the start and not while stopping."""
        ...

    async def probe(self) -> None:
        """Ask the store for something small; raises what it raises."""
        ...

    async def cancel(self, id: str) -> Job:
        """Ask the job to end; fires when it has ended, with its last state.

        A final job: Conflict. Twice: both wait for the same end.
        """
        ...

    async def retry(self, id: str, access: RetryAccess | None = None) -> Job:
        """Run a FAILED job again under the same id: a build from its last finished stage, a push with what it has made.

        Args:
            access: for a push or a deletion, provider and credentials again.

        Raises:
            Conflict: the job is not FAILED, or what it was about was deleted.
            InvalidInput: `access` is missing, or is not that of this job.
        """
        ...

    async def job(self, id: str) -> Job:
        """Returns the job as it is now; NotFound."""
        ...

    async def jobs(
        self, *, status: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Sequence[Job]:
        """Returns jobs in order of creation.

        Args:
            status: only those in this state, as it is spelled on the wire.
            after: only those created after the job with this id; NotFound if there is none.
            limit: at most so many.
        """
        ...

    async def unfinished(self) -> Sequence[Job]:
        """Returns the jobs that have not ended."""
        ...

    async def counts(self) -> Mapping[tuple[Operation, str], int]:
        """Returns how many jobs there are by operation and state, as it is spelled on the wire."""
        ...

    async def queue_position(self, id: str) -> int | None:
        """Returns the place in the queue, 1 for the next; None if the job does not wait."""
        ...

    async def queue_positions(self) -> Mapping[str, int]:
        """Returns the places of all jobs that wait, by id."""
        ...

    async def finished(self, id: str) -> Job:
        """Fires with the final state."""
        ...

    async def log(self, id: str, *, after: int = 0, limit: int = 10_000) -> list[LogLine]:
        """Lines with a number above `after`."""
        ...

    async def events(self, *, after: int, id: str | None = None, limit: int = 1000) -> list[JobEvent]:
        """Remembered events with an id above `after`."""
        ...

    async def last_event(self) -> int:
        """Returns the id of the newest event; 0 if there was none."""
        ...

    def on_event(self, listener: Callable[[JobEvent], None]) -> Unsubscribe:
        """Call `listener` for each event from now on."""
        ...

    def on_line(self, id: str, listener: Callable[[LogLine], None]) -> Unsubscribe:
        """Call `listener` for each new log line of one job."""
        ...
