"""Amazon EC2: a raw disk, which becomes an EBS snapshot."""

from __future__ import annotations

import re

from imagefactory.model.template import Template
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.families.interface import Needs
from imagefactory.systems.qemu.hardware import DiskBus, Hardware
from imagefactory.targets.descriptor import CredentialsForm, ProviderNames, TargetDescriptor
from imagefactory.targets.interface import Target, cloud_info, no_parameters


class Ec2(Target):
    """Nitro instances show their disks as NVMe, older ones as Xen block devices; both boot this image.

    The driver of their network cards (ENA) is in every kernel we install; it is loaded when the root is there.
    """

    name = "ec2"
    os = True
    pushing = None
    hardware = Hardware(DiskBus.NVME)

    def needs(self, template: Template) -> Needs:
        """See `Target`.

        A volume that an instance type lacks must not hold up the boot. Requests to EBS volumes wait instead of failing:
        the timeout is the largest that kernels since 4.15 take, as Amazon's guide to NVMe volumes advises.
        """
        return Needs(
            cloud_init=("Ec2", "None"),
            kernel_parameters=("nvme_core.io_timeout=4294967295",),
            initrd_modules=("nvme", "xen-blkfront"),
            files=(cloud_info(self.name),),
            fstab_nofail=True,
        )

    def conversion(self) -> Conversion:
        """Raw and sparse: a snapshot is sent by blocks, without the holes."""
        return Conversion("raw")

    def parameters(self, template: Template, image_id: str, size: int) -> str:
        """See `Target`."""
        return no_parameters(self.name)


TARGET = TargetDescriptor(
    "ec2",
    "Amazon EC2",
    lambda _: Ec2(),
    names=(ProviderNames(re.compile(r"ec2-[a-z0-9]+(-[a-z0-9]+)+"), "ec2-REGION"),),
    credentials=CredentialsForm(
        "ec2_credentials",
        ("account_number", "access_key", "secret_access_key", "x509_private", "x509_public"),
        {"key": "x509_private", "certificate": "x509_public"},  # what clients call them, and what version 1.0 did
    ),
    concurrency=lambda settings: settings.max_concurrent_ec2_sessions,
)
