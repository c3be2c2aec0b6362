"""VMware vSphere: a stream-optimised VMDK, as OVF import wants it."""

from __future__ import annotations

from imagefactory.model.template import Template
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.families.interface import Needs
from imagefactory.systems.qemu.hardware import DiskBus, Hardware, NetworkCard
from imagefactory.targets.descriptor import CredentialsForm, DefinitionForm, TargetDescriptor
from imagefactory.targets.interface import Target, cloud_info, no_parameters


class VSphere(Target):
    """Boots from a paravirtual or an LSI Logic controller, with a vmxnet3 card."""

    name = "vsphere"
    os = True
    pushing = None
    hardware = Hardware(DiskBus.PVSCSI, NetworkCard.VMXNET3)

    def needs(self, template: Template) -> Needs:
        """See `Target`."""
        return Needs(
            guest_agent="vmware",
            initrd_modules=("vmw_pvscsi", "mptspi"),
            files=(cloud_info(self.name),),
        )

    def conversion(self) -> Conversion:
        """The adapter in the header is for tools that ask it; a pvscsi machine reads the disk all the same."""
        return Conversion("vmdk", {"subformat": "streamOptimized", "adapter_type": "lsilogic"})

    def parameters(self, template: Template, image_id: str, size: int) -> str:
        """See `Target`."""
        return no_parameters(self.name)


TARGET = TargetDescriptor(
    "vsphere",
    "VMware vSphere",
    lambda _: VSphere(),
    definition=DefinitionForm("vsphere.json", ("api-url", "datastore", "network_name", "username", "password")),
    credentials=CredentialsForm("vsphere_credentials", ("username", "password")),
)
