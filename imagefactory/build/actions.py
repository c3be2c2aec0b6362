"""The hand work of the stages, as the pipeline sees it.

A room is a directory that has, from the base stage on, the system being built in it.
"""

from __future__ import annotations

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
    """Works on rooms; every step raises FactoryErrors and can be cancelled."""

    async def base(self, piece: BuildContext, room: Path, report: Report) -> None:
        """Make the base system in an empty room."""

    async def customise(self, piece: BuildContext, room: Path, report: Report) -> bytes:
        """Do to the system what the template says; the answer is the ICICLE."""
        ...

    async def lay(self, below: Path, room: Path) -> bool:
        """Let an empty room have the system of the room `below`, which must not be changed from then on.

        False, with the room still empty, if this host cannot.
        """
        ...

    async def adapt(self, piece: BuildContext, room: Path, image: Path, seed: str, report: Report) -> bytes:
        """Make the target's image file `image` (not yet there) of the system; the answer is the ICICLE of the image.

        Ids inside the image are drawn from `seed`.
        """
        ...

    async def pack(self, room: Path, archive: Path) -> None:
        """Write the system into the file `archive` (not yet there)."""

    async def unpack(self, archive: Path, room: Path) -> None:
        """The reverse, into an empty room."""
