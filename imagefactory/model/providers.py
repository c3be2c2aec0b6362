"""Providers: which target a provider belongs to, and its definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as asked for.

    `text` is the string given (what is stored for named ones), `name` its name, `target` its cloud, `definition` the
    settings of a defined one (may hold passwords: never shown).
    """

    text: str
    name: str
    target: str
    definition: Mapping[str, str] = field(default_factory=dict, repr=False)
