"""The keys of a build's stages: digests over everything that shapes their results."""

from __future__ import annotations

from dataclasses import dataclass

from imagefactory.build.actions import BuildContext, StageActions
from imagefactory.build.cache.interface import StageKey
from imagefactory.build.cache.keys import stage_key
from imagefactory.systems.stages.customise import customise_inputs
from imagefactory.systems.stages.sealing import sealing_inputs


@dataclass(frozen=True, slots=True)
class StageKeys:
    """The three stages; each key is known before any stage has run."""

    base: StageKey
    customise: StageKey
    adapt: StageKey

    @property
    def stages(self) -> tuple[StageKey, ...]:
        """In the order in which they are made."""
        return self.base, self.customise, self.adapt


def stage_keys(context: BuildContext, actions: StageActions) -> StageKeys:
    """Returns the keys of the build's stages."""
    template, plan = context.template, context.plan
    base = stage_key("base", plan.inputs)
    changes = customise_inputs(template, plan.family, plan.repository_indexes)
    customise = stage_key("customise", changes, base.digest)
    finish = {**sealing_inputs(context.target.needs(template), plan.family, template), **actions.inputs(context)}
    return StageKeys(base, customise, stage_key("adapt", finish, customise.digest))
