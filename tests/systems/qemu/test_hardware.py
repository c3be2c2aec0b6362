"""What machines are made of."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.systems.qemu.hardware import UEFI, DiskBus, Hardware, NetworkCard, card_device, disk_devices, possible

HELP = """\
Storage devices:
name "nvme", bus PCI, desc "Non-Volatile Memory Express"
name "scsi-hd", bus SCSI, desc "virtual SCSI disk", alias of "pvscsi"

Network devices:
name "vmxnet3", bus PCI, desc "VMWare Paravirtualized Ethernet v3"
"""


class HardwareTests(SynchronousTestCase):
    """Disks and cards in words of qemu."""

    def test_every_disk_is_the_drive_that_is_started_from(self) -> None:
        """A SCSI disk hangs on a controller; all read the same drive, before anything else."""
        for disk in DiskBus:
            *controllers, device = disk_devices(disk, "a", 0)
            self.assertTrue(device.endswith("bootindex=0"), device)
            self.assertIn(",drive=a,", device)
            self.assertIn(disk.value, (*controllers, device)[1])
        self.assertEqual(disk_devices(DiskBus.PVSCSI, "b", 1)[1], "pvscsi,id=b-bus")

    def test_no_card_offers_to_start_from_the_network(self) -> None:
        """Its option ROM is left out, which may not be installed either."""
        for card in NetworkCard:
            self.assertEqual(card_device(card), ("-device", f"{card.value},netdev=net,romfile="))

    def test_what_qemu_lacks_is_virtio(self) -> None:
        """Device by device; the name counts, not what else is said; the firmware is another question."""
        wanted = Hardware(DiskBus.PVSCSI, NetworkCard.VMXNET3, UEFI)
        self.assertEqual(possible(wanted, HELP), Hardware(DiskBus.VIRTIO, NetworkCard.VMXNET3, UEFI))
        wanted = Hardware(DiskBus.NVME, NetworkCard.VMXNET3)
        self.assertEqual(possible(wanted, HELP), wanted)
        self.assertEqual(possible(wanted, ""), Hardware())

    def test_only_the_default_needs_no_question(self) -> None:
        """Every qemu has virtio."""
        self.assertTrue(Hardware(firmware=UEFI).plain)
        self.assertFalse(Hardware(DiskBus.NVME).plain)
        self.assertFalse(Hardware(card=NetworkCard.VMXNET3).plain)
