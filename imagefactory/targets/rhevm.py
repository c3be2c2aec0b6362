"""Red Hat Enterprise Virtualization, today oVirt."""

from __future__ import annotations

from imagefactory.model.libvirt_xml import Domain, domain_xml
from imagefactory.model.template import Template
from imagefactory.systems.disk.interface import Conversion
from imagefactory.systems.families.interface import Needs
from imagefactory.targets.descriptor import CredentialsForm, DefinitionForm, TargetDescriptor
from imagefactory.targets.interface import Target, cloud_info


class Rhevm(Target):
    """A disk for virtio; `format` is qcow2 or raw (the setting `rhevm_image_format`)."""

    name = "rhevm"
    os = True
    pushing = None

    def __init__(self, format: str) -> None:
        self._format = format

    def needs(self, template: Template) -> Needs:
        """The guest agent reports addresses to the engine, and shuts down and freezes at its request."""
        return Needs(
            guest_agent="qemu",
            initrd_modules=("virtio_blk", "virtio_scsi"),
            files=(cloud_info(self.name),),
        )

    def conversion(self) -> Conversion:
        """Never compressed: RHEV cannot read such a qcow2, and the disk is written to from the first boot on.

        Version 1.1 of the format is what storage domains have since oVirt 4.1.
        """
        if self._format == "raw":
            return Conversion("raw")
        return Conversion("qcow2", {"compat": "1.1"})

    def parameters(self, template: Template, image_id: str, size: int) -> str:
        """See `Target`; the file name is that of version 1.0."""
        disk = f"rhevm-image-{image_id}.dsk"
        name = f"{template.name}-{image_id}"
        return domain_xml(Domain(name, image_id, template.os.arch, disk, self._format, template.name))


TARGET = TargetDescriptor(
    "rhevm",
    "RHEV-M, oVirt",
    lambda context: Rhevm(context.settings.rhevm_image_format),
    definition=DefinitionForm(
        "rhevm.json", ("api-url", "nfs-host", "nfs-path", "nfs-dir", "cluster", "timeout", "username", "password")
    ),
    credentials=CredentialsForm("rhevm_credentials", ("username", "password")),
)
