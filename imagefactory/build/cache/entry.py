"""What is written beside a cached result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from imagefactory.build.cache.interface import StageKey
from imagefactory.build.cache.keys import fingerprints


@dataclass(frozen=True, slots=True)
class EntryMetadata:
    """A result as it was when it was made.

    `inputs` are the fingerprints of its key, `content` as in `imagefactory.lib.files.content`, `made` in Unix seconds.
    """

    kind: str
    digest: str
    inputs: Mapping[str, str]
    content: str
    size: int
    facts: Mapping[str, str]
    made: float


def describe(key: StageKey, facts: Mapping[str, str], made: float, *, size: int, content: str) -> EntryMetadata:
    """The sidecar of a result that was just made."""
    return EntryMetadata(key.kind, key.digest, fingerprints(key), content, size, dict(facts), made)


def encode(card: EntryMetadata) -> bytes:
    """As JSON, with a digest over itself, because facts are believed as well."""
    entry = asdict(card)
    return json.dumps({"entry": entry, "sha256": _seal(entry)}, indent=1).encode()


def decode(data: bytes) -> EntryMetadata:
    """Raises ValueError for anything that `encode` did not write just so."""
    try:
        document = json.loads(data)
        entry = document["entry"]
        if document["sha256"] != _seal(entry):
            raise ValueError("its digest does not match")
        entry.pop("sha256", None)  # older ones have a digest over all bytes, too
        return EntryMetadata(**entry)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is not a sidecar: {error!r}") from error


def _seal(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
