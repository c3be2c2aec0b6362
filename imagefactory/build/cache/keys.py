"""Keys: what a stage result depends on, as one digest.

Pure: no file, no clock. Two keys with equal digests stand for equal results, so everything that shapes a result must
be among the inputs, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from imagefactory.build.cache.interface import StageKey

PARENT = "previous stage"
"""The name under which a changed parent is reported to people."""


def stage_key(kind: str, inputs: Mapping[str, str], parent: str = "") -> StageKey:
    """The key of a stage of this `kind` made from `inputs` on top of the stage whose digest is `parent`."""
    ordered = dict(sorted(inputs.items()))
    return StageKey(kind, ordered, parent, _digest([kind, parent, ordered]))


def fingerprints(key: StageKey) -> dict[str, str]:
    """A short digest of each input and of the parent.

    This is what is kept of a key beside a result: enough to tell later which input changed, and no content, because
    an input may be as private as a root password.
    """
    named = {name: _digest(value)[:16] for name, value in key.inputs.items()}
    return {**named, PARENT: key.parent} if key.parent else named


def differing(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the inputs that differ between the `fingerprints` of two keys, in order; what only one has counts."""
    return tuple(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))


def _digest(value: object) -> str:
    """SHA-256 over canonical JSON: unlike joined text, no two different values have the same."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
