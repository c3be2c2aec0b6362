"""Which targets there are; a target's module is imported when its name is asked for."""

from __future__ import annotations

from typing import TypeGuard

from imagefactory.lib.errors import Unsupported
from imagefactory.lib.plugins.registry import Registry
from imagefactory.targets.interface import Target, TargetContext, TargetDescriptor

GROUP = "imagefactory.targets"

#: Name to the module and its descriptor.
OURS = {
    "condorcloud": "imagefactory.targets.condorcloud:TARGET",
    "ec2": "imagefactory.targets.ec2:TARGET",
    "mock": "imagefactory.targets.mock:TARGET",
    "openstack-kvm": "imagefactory.targets.openstack:TARGET",
    "rackspace": "imagefactory.targets.rackspace:TARGET",
    "rhevm": "imagefactory.targets.rhevm:TARGET",
    "vsphere": "imagefactory.targets.vsphere:TARGET",
}


def is_descriptor(found: object) -> TypeGuard[TargetDescriptor]:
    """Whether it describes a target."""
    return isinstance(found, TargetDescriptor)


TARGETS: Registry[TargetDescriptor] = Registry("target", GROUP, OURS, is_descriptor, unknown=Unsupported)


class Targets:
    """The targets of one process; each is made once, when it is first asked for."""

    def __init__(self, context: TargetContext) -> None:
        self._context = context
        self._made: dict[str, Target] = {}

    def target(self, name: str) -> Target:
        """Returns the target of that name.

        Raises Unsupported, BrokenPlugin, WrongPlugin.
        """
        if name not in self._made:
            self._made[name] = TARGETS.get(name).make(self._context)
        return self._made[name]
