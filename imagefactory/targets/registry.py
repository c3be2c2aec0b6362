"""Which targets there are; a room is imported when its name is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from imagefactory.lib.errors import FactoryError, Unsupported
from imagefactory.targets.interface import Room, Target, TargetContext

GROUP = "imagefactory.targets"

#: Name to module; the module has a `ROOM`. An entry point of the group names such an object directly.
OURS: Mapping[str, str] = {
    "condorcloud": "imagefactory.targets.condorcloud",
    "ec2": "imagefactory.targets.ec2",
    "mock": "imagefactory.targets.mock",
    "openstack-kvm": "imagefactory.targets.openstack",
    "rackspace": "imagefactory.targets.rackspace",
    "rhevm": "imagefactory.targets.rhevm",
    "vsphere": "imagefactory.targets.vsphere",
}


class BrokenRoom(FactoryError):
    """A target is registered and cannot be imported."""


class NotATarget(FactoryError):
    """What is registered as a target is something else."""


def names() -> tuple[str, ...]:
    """All registered names in order; ours cannot be replaced."""
    return tuple(sorted({*OURS, *_registered()}))


def room(name: str) -> Room:
    """The room of that name.

    Three errors for three causes: Unsupported (nobody registered it), BrokenRoom, NotATarget.
    """
    found = _load(name)
    if not isinstance(found, Room):
        raise NotATarget(f"{found!r} is registered as target {name} and is none", hint=f"see the group {GROUP}")
    return found


class Targets:
    """The targets of one process; each is made once, when it is first asked for."""

    def __init__(self, surroundings: TargetContext) -> None:
        self._surroundings = surroundings
        self._made: dict[str, Target] = {}

    def target(self, name: str) -> Target:
        """Raises as `room`."""
        if name not in self._made:
            self._made[name] = room(name).make(self._surroundings)
        return self._made[name]


def _load(name: str) -> object:
    registered = _registered()
    if name not in OURS and name not in registered:
        raise Unsupported(f"there is no target {name!r}", where="target", hint=f"there are {', '.join(names())}")
    try:
        return getattr(import_module(OURS[name]), "ROOM", None) if name in OURS else registered[name].load()
    except Exception as error:
        raise BrokenRoom(f"target {name} cannot be imported: {error!r}", hint="reinstall it, or remove it") from error


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
