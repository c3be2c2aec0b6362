"""How one option is declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class OptionGroup(Enum):
    """The part of the manual an option belongs to; the value is its heading."""

    GENERAL = "General"
    BUILDING = "Building, pushing and importing"
    DAEMON = "Daemon and REST"
    SAFETY = "Safety at the door"
    WAREHOUSE = "Image Warehouse"
    CLOUDS = "Clouds"
    STORAGE = "State, cache and limits"


class OptionKind(Enum):
    """What values an option takes, on the command line and in the JSON file."""

    TEXT = "text"
    NUMBER = "number"  # int from `low` to `high`
    FLAG = "flag"
    PATH = "path"
    SIZE = "size"  # bytes; text with a unit (20G) or a number
    LIST = "list"  # repeatable on the command line, a JSON list of texts in the file
    MAP = "map"  # a JSON object text -> text; file only, or JSON text on the command line
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Option:
    """The declaration of one option.

    `flag` is empty for what can stand in the configuration file only; `key` is empty for what can stand on the
    command line only; `default_text` is what people read where the default is computed. `check` raises
    ValueError for a text that is not allowed; `entry` does so for an entry of a MAP, and returns the entry to keep;
    `objects` does so for an object in place of a text in a MAP of secrets, and returns a `Secret`. The value of a
    `file` is a path, relative to the current directory. A `secret` is kept as `Secret`; what is `hidden` may hold
    secrets and is not shown when settings are explained.
    """

    group: OptionGroup
    kind: OptionKind
    help: str
    flag: str = ""
    short: str = ""
    key: str = ""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int | None = None
    check: Callable[[str], object] | None = None
    entry: Callable[[str, str], tuple[str, str]] | None = None
    objects: Callable[[Mapping[str, Any]], Any] | None = None
    file: bool = False
    secret: bool = False
    hidden: bool = False
    default_text: str = ""


def option(default: Any, group: OptionGroup, kind: OptionKind, help: str, **more: Any) -> Any:
    """Returns a dataclass field that carries its declaration."""
    declared = Option(group, kind, help, **more)
    shown = not (declared.secret or declared.hidden)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"option": declared}, repr=shown)
    return field(default=default, metadata={"option": declared}, repr=shown)
