"""Which families there are, and which of them knows an operating system."""

from __future__ import annotations

from typing import TypeGuard

from imagefactory.lib.errors import Unsupported
from imagefactory.lib.plugins.registry import Registry
from imagefactory.model.template import OperatingSystem
from imagefactory.systems.families.interface import Family, Release


def is_family(found: object) -> TypeGuard[Family]:
    """Returns whether it has a family's parts."""
    return all(hasattr(found, part) for part in ("name", "release", "bootstrap", "configure", "install", "seal"))


FAMILIES: Registry[Family] = Registry(
    "family",
    "imagefactory.families",
    {
        "debian": "imagefactory.systems.families.debian:FAMILY",
        "redhat": "imagefactory.systems.families.redhat:FAMILY",
    },
    is_family,
)


def find(os: OperatingSystem) -> tuple[Family, Release]:
    """Returns the family and release that a template's `os` means.

    Raises Unsupported, which lists what is known.
    """
    every = tuple(FAMILIES.get(name) for name in FAMILIES.names())
    for one in every:
        release = one.release(os.name, os.version)
        if release is not None:
            return one, release
    known = "; ".join(text for one in every for text in one.known())
    raise Unsupported(f"operating system {os.name} {os.version} is not known", where="os", hint=f"known are {known}")
