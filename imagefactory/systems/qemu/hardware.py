"""What a virtual machine is made of, as far as an image has to find its way there: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

BIOS = "bios"
UEFI = "uefi"


class DiskBus(Enum):
    """What the disk hangs on; the value is qemu's name of the device.

    UEFI as Debian builds it for qemu has no driver for PVSCSI, its BIOS has: that machine finds nothing to boot.
    """

    VIRTIO = "virtio-blk-pci"
    PVSCSI = "pvscsi"
    NVME = "nvme"


class NetworkCard(Enum):
    """The network card; the value is qemu's name of the device."""

    VIRTIO = "virtio-net-pci"
    VMXNET3 = "vmxnet3"


@dataclass(frozen=True, slots=True)
class Hardware:
    """A cloud's machines; `firmware` is bios or uefi, which is taken where the architecture has no choice."""

    disk: DiskBus = DiskBus.VIRTIO
    card: NetworkCard = NetworkCard.VIRTIO
    firmware: str = BIOS

    @property
    def plain(self) -> bool:
        """Whether every qemu has its devices."""
        return (self.disk, self.card) == (DiskBus.VIRTIO, NetworkCard.VIRTIO)


_NAME = re.compile(r'^name "([^"]+)"', re.MULTILINE)

_DISKS = {
    DiskBus.VIRTIO: ("virtio-blk-pci,drive={id},bootindex={place}",),
    DiskBus.PVSCSI: ("pvscsi,id={id}-bus", "scsi-hd,drive={id},bus={id}-bus.0,bootindex={place}"),
    DiskBus.NVME: ("nvme,drive={id},serial={id},bootindex={place}",),
}


def disk_devices(disk: DiskBus, id: str, place: int) -> tuple[str, ...]:
    """Returns qemu's options for the drive `id` on this hardware, the one to boot from if its `place` is 0."""
    return tuple(word for device in _DISKS[disk] for word in ("-device", device.format(id=id, place=place)))


def card_device(card: NetworkCard) -> tuple[str, ...]:
    """qemu's options for a card in the network `net`; it starts nothing from there."""
    return "-device", f"{card.value},netdev=net,romfile="


def possible(hardware: Hardware, help: str) -> Hardware:
    """The same with virtio for what is not in qemu's output of `-device help`: some distributions leave devices out."""
    known = set(_NAME.findall(help))
    disk = hardware.disk if hardware.disk.value in known else DiskBus.VIRTIO
    card = hardware.card if hardware.card.value in known else NetworkCard.VIRTIO
    return replace(hardware, disk=disk, card=card)
