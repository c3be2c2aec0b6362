"""Credentials for a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagefactory.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Credentials:
    """The child of a `provider_credentials` element: `kind` is its name (`ec2_credentials`), `fields` its children's
    texts."""

    kind: str
    fields: Mapping[str, Secret] = field(repr=False)
