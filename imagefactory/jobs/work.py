"""What the job service hands to those who do the work, and what it gets back.

The service knows when something runs; the pipeline and the pusher know what is done. They meet here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed
from imagefactory.model.providers import Provider
from imagefactory.model.report import Report, StageOutcome
from imagefactory.model.template import Template


class Progress(Report, Protocol):
    """A job's report, which also knows the milestones of the whole job."""

    def reached(self, percent: int) -> None:
        """The job as a whole is that far; it never goes back."""

    def between(self, low: int, high: int) -> Report:
        """A report whose 0 to 100 are the job's `low` to `high`."""
        ...


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """One build job: the image `id` of `target` for this build; everything in `template` is at hand (no Remote).

    `unrecorded`: the warehouse did not answer when it was accepted, so that its template, image and build may be
    missing there.
    """

    id: str
    image_id: str
    build_id: str
    target: str
    template: Template
    template_id: str
    boot_check: bool = False
    unrecorded: bool = False


@dataclass(frozen=True, slots=True)
class PushOrder:
    """One push job: target image `target_image_id` becomes provider image `id`.

    `credentials` live here and nowhere else, until the push ends.
    """

    id: str
    target_image_id: str
    provider: Provider
    credentials: Credentials | None = field(default=None, repr=False)
    account: str | None = None


class Builder(Protocol):
    """Does build jobs."""

    def known(self, target: str) -> None:
        """Raises Unsupported if there is no such target."""

    async def check(self, template: Template, targets: Sequence[str]) -> None:
        """Whether this host can build that at all.

        Raises Unsupported, MissingTool.
        """

    async def plan(self, template: Template, target: str) -> tuple[StageOutcome, ...]:
        """The stages, looked up and not made."""
        ...

    async def build(self, order: BuildOrder, progress: Progress) -> Completed:
        """Make and store the target image; leaves nothing else behind, however it ends."""
        ...

    async def forget(self, id: str) -> None:
        """Remove from the warehouse what a build whose process was killed may have left there."""


class Pusher(Protocol):
    """Does push jobs."""

    def account(self, provider: Provider, credentials: Credentials | None) -> str | None:
        """Check provider and credentials as far as that goes without asking the cloud.

        The answer is the `provider_account_identifier`. Raises Unsupported, InvalidInput.
        """
        ...

    async def push(self, order: PushOrder, progress: Progress) -> Completed:
        """Bring the image to the provider and store the provider image."""
        ...
