"""What the job service hands to the pipeline that builds, and what it gets back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from imagefactory.model.jobs import Completed
from imagefactory.model.report import Progress, StageOutcome
from imagefactory.model.template import Template


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """One build job: the image `id` of `target` for this build; everything in `template` is at hand (no Remote).

    `unrecorded`: the warehouse did not answer when it was accepted, so that its template, image and build may be
    missing there. `owner` is the client that asked for it (None: everybody's).
    """

    id: str
    image_id: str
    build_id: str
    target: str
    template: Template
    template_id: str
    boot_check: bool = False
    unrecorded: bool = False
    owner: str | None = None


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
