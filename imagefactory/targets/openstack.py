"""OpenStack with KVM: a compressed qcow2 image for Glance."""

from __future__ import annotations

from imagefactory.disk.interface import Conversion
from imagefactory.families.interface import Needs
from imagefactory.model.template import Template
from imagefactory.targets.interface import Room, Target, cloud_info


class OpenStackKvm(Target):
    """Nova gives the instance its name and keys by metadata service or configuration drive."""

    name = "openstack-kvm"
    os = True
    pushing = None

    def needs(self, template: Template) -> Needs:
        """The agent lets Nova freeze file systems for snapshots and set passwords."""
        return Needs(
            cloud_init=("ConfigDrive", "OpenStack", "None"),
            guest_agent="qemu",
            initrd_modules=("virtio_blk", "virtio_scsi"),
            files=(cloud_info(self.name),),
        )

    def conversion(self) -> Conversion:
        """Compressed with zlib, though zstd would be made five times faster.

        Glance keeps what it is given, and the image is read by whatever qemu a compute node has: zstd needs 5.1, zlib
        is read by all. The time is spent once per image, the smaller file saves it with every transfer.
        """
        return Conversion("qcow2", {"compat": "1.1"}, compress=True, suffix="qcow2")


ROOM = Room("openstack-kvm", "OpenStack, KVM", lambda _: OpenStackKvm())
