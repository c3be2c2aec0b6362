"""The keys of a build's stages: everything that shapes a result, by names that people read in the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagefactory.families.interface import Change
from imagefactory.jobs.craft import Piece
from imagefactory.model.template import GuestFile, Inline, Script
from imagefactory.stages.interface import StageKey
from imagefactory.stages.keys import stage_key

#: To be raised whenever the code of a stage makes something else of the same inputs.
VERSION = "1"


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
    base = stage_key("base", {**piece.plan.inputs, "program": VERSION})
    customise = stage_key("customise", _customise(piece), base.digest)
    return Recipe(base, customise, stage_key("adapt", _adapt(piece), customise.digest))


def _customise(piece: Piece) -> Mapping[str, str]:
    template, family = piece.template, piece.plan.family
    password = template.os.root_password
    return {
        "program": VERSION,
        "packages": "\n".join(template.packages),
        "repositories": repr(template.repositories),
        "root password": _digest([password.reveal().encode()]) if password else "",
        "icicle command": template.os.icicle_extra_command,
        "description": template.description,
        "configuration": _change(family.configure(template)),
        "files": _digest(_file(file) for file in template.files),
        "precommands": _digest(_script(script) for script in template.precommands),
        "commands": _digest(_script(script) for script in template.commands),
    }


def _adapt(piece: Piece) -> Mapping[str, str]:
    template, target = piece.template, piece.target
    needs = target.needs(template)
    return {
        "program": VERSION,
        "target": target.name,
        "conversion": repr(target.conversion()),
        "needs": _digest([repr(needs).encode(), _change(piece.plan.family.fulfil(needs)).encode()]),
        "disk size": str(template.disk_size),
        "kernel parameters": template.os.kernel_parameters,
        "seal": "\n".join(piece.plan.family.seal()),
    }


def _change(change: Change) -> str:
    return _digest([repr(change).encode()])


def _file(file: GuestFile) -> bytes:
    assert isinstance(file.content, Inline), "a template is complete before it is built"
    return _digest([file.name.encode(), file.content.data]).encode()


def _script(script: Script) -> bytes:
    assert isinstance(script.content, Inline), "a template is complete before it is built"
    return _digest([script.name.encode(), script.content.data]).encode()


def _digest(parts: Iterable[bytes]) -> str:
    """SHA-256 over the parts with their lengths, so that no two lists are the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()
