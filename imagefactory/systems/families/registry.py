"""Which families there are, and which of them knows an operating system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from imagefactory.lib.errors import FactoryError, NotFound, Unsupported
from imagefactory.model.template import OperatingSystem
from imagefactory.systems.families.interface import Family, Release

GROUP = "imagefactory.families"

#: Name to module; the module has a `FAMILY`. An entry point of the group names such an object directly.
OURS: Mapping[str, str] = {
    "debian": "imagefactory.systems.families.debian",
    "redhat": "imagefactory.systems.families.redhat",
}


class BrokenRoom(FactoryError):
    """A family is registered and cannot be imported."""


class NotAFamily(FactoryError):
    """What is registered as a family is something else."""


def names() -> tuple[str, ...]:
    """All registered names, ours first."""
    theirs = sorted(point.name for point in entry_points(group=GROUP))
    return tuple(dict.fromkeys((*OURS, *theirs)))


def family(name: str) -> Family:
    """The family of that name.

    Three errors for three causes: NotFound (nobody registered it), BrokenRoom, NotAFamily.
    """
    found = _load(name)
    if not all(hasattr(found, part) for part in ("name", "release", "bootstrap", "configure", "install", "seal")):
        raise NotAFamily(f"{found!r} is registered as family {name} and is none", hint=f"see the group {GROUP}")
    return cast(Family, found)


def find(os: OperatingSystem) -> tuple[Family, Release]:
    """The family and release that a template's `os` means; Unsupported says what is known."""
    every = tuple(family(name) for name in names())
    for one in every:
        release = one.release(os.name, os.version)
        if release is not None:
            return one, release
    known = "; ".join(text for one in every for text in one.known())
    raise Unsupported(f"operating system {os.name} {os.version} is not known", where="os", hint=f"known are {known}")


def _load(name: str) -> object:
    try:
        if name in OURS:
            return cast(object, import_module(OURS[name]).FAMILY)
        return next(_registered(name))
    except StopIteration:
        raise NotFound(f"there is no family {name}", hint=f"there are {', '.join(names())}") from None
    except (ImportError, AttributeError) as error:
        raise BrokenRoom(f"family {name} cannot be imported: {error}", hint="reinstall it, or remove it") from error


def _registered(name: str) -> Iterator[object]:
    for point in entry_points(group=GROUP):
        if point.name == name:
            yield point.load()
