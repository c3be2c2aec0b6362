"""The registered targets; the module of a target is imported when its name is first used."""

from __future__ import annotations

from functools import cached_property
from typing import TypeGuard

from twisted.logger import Logger

from imagefactory.lib.errors import Unsupported
from imagefactory.lib.plugins.registry import BrokenPlugin, Registry, WrongPlugin
from imagefactory.targets.descriptor import TargetContext, TargetDescriptor
from imagefactory.targets.interface import Target

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


class InstalledTargets:
    """The targets of one process; each is made once, when it is first asked for."""

    _log = Logger()

    def __init__(self, context: TargetContext, registry: Registry[TargetDescriptor] = TARGETS) -> None:
        self._context = context
        self._registry = registry
        self._made: dict[str, Target] = {}

    def names(self) -> tuple[str, ...]:
        """Names of all targets, sorted."""
        return tuple(sorted(self._registry.names()))

    def descriptor(self, name: str) -> TargetDescriptor:
        """Raises Unsupported, BrokenPlugin, WrongPlugin."""
        return self._registry.get(name)

    @cached_property
    def descriptors(self) -> tuple[TargetDescriptor, ...]:
        """Those of all targets, ours first. A plug-in that cannot be used is left out and logged."""
        return tuple(found for name in self._registry.names() if (found := self._usable(name)))

    def target(self, name: str) -> Target:
        """Returns the target of that name.

        Raises Unsupported, BrokenPlugin, WrongPlugin.
        """
        if name not in self._made:
            self._made[name] = self.descriptor(name).make(self._context)
        return self._made[name]

    def concurrency(self, name: str) -> int | None:
        """Returns how many pushes to that target run at once; None: any number.

        Raises Unsupported, BrokenPlugin, WrongPlugin.
        """
        return self.descriptor(name).concurrency(self._context.settings)

    def _usable(self, name: str) -> TargetDescriptor | None:
        try:
            return self.descriptor(name)
        except (BrokenPlugin, WrongPlugin) as error:
            self._log.warn("{error}", error=error)
            return None
