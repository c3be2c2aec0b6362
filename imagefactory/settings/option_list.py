"""The option table as a list, by which settings are read, explained and documented."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from typing import Any

from imagefactory.settings.option import Option, OptionGroup
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


def of_group(group: OptionGroup) -> tuple[Declared, ...]:
    """The options of one part of the manual, in order of declaration."""
    return tuple(declared for declared in OPTIONS if declared.option.group is group)


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns `did you mean ...?` for an unknown name that resembles a known one, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
