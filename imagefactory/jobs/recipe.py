"""The keys of a build's stages: everything that shapes a result, by names that people read in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from imagefactory.jobs.craft import Piece
from imagefactory.stages.customise import customise_inputs
from imagefactory.stages.interface import StageKey
from imagefactory.stages.keys import stage_key
from imagefactory.stages.sealing import needs_inputs

#: To be raised whenever the disk is made in another way; the other stages have such numbers of their own.
DISK = "1"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The three stages; each key is known before any stage has run."""

    base: StageKey
    customise: StageKey
    adapt: StageKey

    @property
    def stages(self) -> tuple[StageKey, ...]:
        """In the order in which they are made."""
        return self.base, self.customise, self.adapt


def recipe(piece: Piece) -> Recipe:
    """The keys for `piece`."""
    base = stage_key("base", piece.plan.inputs)
    customise = stage_key("customise", _customise(piece), base.digest)
    return Recipe(base, customise, stage_key("adapt", _adapt(piece), customise.digest))


def _customise(piece: Piece) -> Mapping[str, str]:
    template = piece.template
    return {
        **customise_inputs(template),
        "description": template.description,
        "configuration": _digest(piece.plan.family.configure(template)),
    }


def _adapt(piece: Piece) -> Mapping[str, str]:
    template, target, family = piece.template, piece.target, piece.plan.family
    needs = target.needs(template)
    return {
        **needs_inputs(needs),
        "target": target.name,
        "conversion": repr(target.conversion()),
        "what the needs mean": _digest(family.fulfil(needs)),
        "disk size": str(template.disk_size),
        "kernel parameters": template.os.kernel_parameters,
        "seal": "\n".join(family.seal()),
        "disk": DISK,
    }


def _digest(value: object) -> str:
    """Of a frozen value, which its repr says completely."""
    return hashlib.sha256(repr(value).encode()).hexdigest()
