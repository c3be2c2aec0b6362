"""What is done to the system of a build, as the stages see it.

A workspace is a directory that has, from the base stage on, the system being built in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imagefactory.model.report import Report
from imagefactory.model.template import Template
from imagefactory.systems.engines.interface import BasePlan
from imagefactory.targets.interface import Target


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What is built: the template as it is for this target, how its base is made, the target."""

    template: Template
    plan: BasePlan
    target: Target


class StageActions(Protocol):
    """Works on the systems in workspaces; every step raises FactoryErrors and can be cancelled."""

    def check(self, template: Template, target: Target) -> None:
        """Raise InvalidInput if no image of this template can be made for the target."""

    def inputs(self, context: BuildContext) -> Mapping[str, str]:
        """What the image depends on besides the customised system, by name, for the key of the adapt stage."""
        ...

    async def base(self, context: BuildContext, workspace: Path, report: Report) -> None:
        """Make the base system in an empty workspace."""

    async def customise(self, context: BuildContext, workspace: Path, report: Report) -> bytes:
        """Do to the system what the template says; returns the ICICLE."""
        ...

    async def can_overlay(self, workspace: Path) -> bool:
        """Whether this host can do what `lay` does, tried in an empty workspace."""
        ...

    async def lay(self, below: Path, workspace: Path) -> None:
        """Let an empty workspace have the system of the workspace `below`, which must not be changed from then on.

        That one may have been laid over another itself.
        """

    async def adapt(self, context: BuildContext, workspace: Path, image: Path, seed: str, report: Report) -> bytes:
        """Make the target's image file `image` (not yet there) of the system; returns the ICICLE of the image.

        Ids inside the image are drawn from `seed`.
        """
        ...

    async def size(self, workspace: Path) -> int:
        """Bytes that the workspace takes on the disk."""
        ...

    async def pack(self, workspace: Path, archive: Path) -> None:
        """Write the system into the file `archive` (not yet there); a system laid over it may be changed meanwhile."""

    async def unpack(self, archive: Path, workspace: Path) -> None:
        """The reverse, into an empty workspace."""
