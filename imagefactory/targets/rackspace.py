"""Rackspace Cloud Servers: a VHD for Xen."""

from __future__ import annotations

import re

from imagefactory.model.template import Template
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.disk.layout import GIB
from imagefactory.systems.families.interface import Needs
from imagefactory.targets.descriptor import CredentialsForm, ProviderNames, TargetDescriptor
from imagefactory.targets.interface import Target, cloud_info


class Rackspace(Target):
    """Fully virtualised Xen; network settings and keys are on the configuration drive."""

    name = "rackspace"
    os = True
    pushing = None
    largest_disk = 2040 * GIB  # the end of VHD

    def needs(self, template: Template) -> Needs:
        """See `Target`."""
        return Needs(
            cloud_init=("ConfigDrive", "None"),
            initrd_modules=("xen-blkfront",),
            files=(cloud_info(self.name),),
        )

    def conversion(self) -> Conversion:
        """A dynamic VHD; without force_size qemu rounds the disk to a geometry of old BIOSes, and it grows."""
        return Conversion("vpc", {"subformat": "dynamic", "force_size": "on"})


TARGET = TargetDescriptor(
    "rackspace",
    "Rackspace Cloud Servers",
    lambda _: Rackspace(),
    names=(ProviderNames(re.compile(r"rackspace"), "rackspace"),),
    credentials=CredentialsForm("rackspace_credentials", ("username", "password")),
)
