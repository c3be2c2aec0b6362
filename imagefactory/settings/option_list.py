"""The option table as a list: for whoever reads, explains or documents settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from typing import Any

from imagefactory.settings.option import Group, Option
from imagefactory.settings.table import Settings


@dataclass(frozen=True, slots=True)
class Declared:
    """One field of `Settings`: its name, its declaration, its default."""

    name: str
    option: Option
    default: Any


def _declared() -> Iterable[Declared]:
    for field in fields(Settings):
        default = field.default if field.default_factory is MISSING else field.default_factory()
        yield Declared(field.name, field.metadata["option"], default)


OPTIONS: tuple[Declared, ...] = tuple(_declared())
BY_KEY: dict[str, Declared] = {declared.option.key: declared for declared in OPTIONS if declared.option.key}
BY_FLAG: dict[str, Declared] = {declared.option.flag: declared for declared in OPTIONS if declared.option.flag}


def of_group(group: Group) -> tuple[Declared, ...]:
    """The options of one part of the manual, in order of declaration."""
    return tuple(declared for declared in OPTIONS if declared.option.group is group)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean ...?` for a name that nobody knows, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
