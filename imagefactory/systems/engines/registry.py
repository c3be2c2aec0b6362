"""Which engines there are."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from imagefactory.lib.errors import FactoryError, NotFound
from imagefactory.systems.engines.interface import Engine

GROUP = "imagefactory.engines"

#: Name to "module:class". An instance is made by the composition root with processes, privilege, threads, indexes and
#: `BootstrapSettings`.
OURS: Mapping[str, str] = {"bootstrap": "imagefactory.systems.engines.bootstrap.engine:BootstrapEngine"}


class BrokenRoom(FactoryError):
    """An engine is registered and cannot be imported."""


class NotAnEngine(FactoryError):
    """What is registered as an engine is something else."""


def names() -> tuple[str, ...]:
    """All registered names, ours first."""
    return tuple(dict.fromkeys((*OURS, *sorted(point.name for point in entry_points(group=GROUP)))))


def engine_class(name: str) -> type[Engine]:
    """The class of that engine.

    Three errors for three causes: NotFound (nobody registered it), BrokenRoom, NotAnEngine.
    """
    found = _load(name)
    if not all(callable(getattr(found, part, None)) for part in ("check", "plan", "build")):
        raise NotAnEngine(f"{found!r} is registered as engine {name} and is none", hint=f"see the group {GROUP}")
    return cast(type[Engine], found)


def _load(name: str) -> Any:
    theirs = {point.name: point for point in entry_points(group=GROUP)}
    if name not in OURS and name not in theirs:
        raise NotFound(f"there is no engine {name}", hint=f"there are {', '.join(names())}")
    try:
        if name not in OURS:
            return theirs[name].load()
        module, _, attribute = OURS[name].partition(":")
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BrokenRoom(f"engine {name} cannot be imported: {error}", hint="reinstall it, or remove it") from error
