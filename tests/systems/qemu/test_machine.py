"""qemu's command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import MissingTool, Unsupported
from imagefactory.systems.qemu import machine as module
from imagefactory.systems.qemu.hardware import DiskBus, NetworkCard
from imagefactory.systems.qemu.machine import DirectKernel, Drive, Firmware, Machine, argv, firmware

DISK = Drive(Path("/a,b/disk.raw"), "raw")
MACHINE = Machine("x86_64", "tcg", (DISK,), Path("/t/serial"), Path("/t/qmp"))


def options(machine: Machine) -> str:
    """The command line as a person would type it."""
    return " ".join(argv(machine))


class ArgvTests(SynchronousTestCase):
    """A machine in words of qemu."""

    def test_a_disk_is_not_written_unless_that_is_wanted(self) -> None:
        """Commas in paths are doubled."""
        self.assertIn("file=/a,,b/disk.raw,format=raw,if=none,id=disk0,snapshot=on ", options(MACHINE))
        written = options(replace(MACHINE, drives=(replace(DISK, snapshot=False),)))
        self.assertNotIn("snapshot", written)

    def test_several_disks(self) -> None:
        """In their order, each on its own bus; the first is the one to boot from."""
        second = Drive(Path("/b"), "qcow2", DiskBus.PVSCSI, snapshot=False)
        text = options(replace(MACHINE, drives=(DISK, second)))
        self.assertIn("-device virtio-blk-pci,drive=disk0,bootindex=0 ", text)
        self.assertIn("file=/b,format=qcow2,if=none,id=disk1 -device pvscsi,id=disk1-bus ", text)
        self.assertIn("scsi-hd,drive=disk1,bus=disk1-bus.0,bootindex=1 ", text)

    def test_a_kernel_without_a_boot_loader(self) -> None:
        """Its command line is one word, whatever is in it."""
        line = argv(replace(MACHINE, memory=2048, kernel=DirectKernel(Path("/k,1"), Path("/i"), "quiet console=ttyS0")))
        place = line.index("-kernel")
        self.assertEqual(
            ("-kernel", "/k,1", "-initrd", "/i", "-append", "quiet console=ttyS0"), line[place : place + 6]
        )
        self.assertEqual("2048", line[line.index("-m") + 1])
        self.assertNotIn("-initrd", argv(replace(MACHINE, kernel=DirectKernel(Path("/k")))))

    def test_the_serial_port_is_a_file(self) -> None:
        """A socket that is not read would stop the guest."""
        self.assertIn("-chardev file,id=serial,path=/t/serial -serial chardev:serial", options(MACHINE))

    def test_a_network_only_for_ssh_and_on_loopback_only(self) -> None:
        """The guest can reach nothing, and only this host can reach it."""
        self.assertNotIn("-netdev", options(MACHINE))
        text = options(replace(MACHINE, ssh=True))
        self.assertIn("restrict=on", text)
        self.assertIn("hostfwd=tcp:127.0.0.1:0-:22", text)

    def test_disk_and_card_are_those_of_the_hardware(self) -> None:
        """virtio unless something else is asked for."""
        self.assertIn("-device virtio-blk-pci,drive=disk0", options(MACHINE))
        disk = replace(DISK, bus=DiskBus.PVSCSI)
        text = options(replace(MACHINE, ssh=True, drives=(disk,), card=NetworkCard.VMXNET3))
        self.assertIn("-device pvscsi,id=disk0-bus -device scsi-hd,drive=disk0,bus=disk0-bus.0", text)
        self.assertIn("-device vmxnet3,netdev=net", text)
        self.assertNotIn("virtio-blk", text)
        self.assertNotIn("virtio-net", text)

    def test_the_accelerator_decides_the_processor(self) -> None:
        """The host's own under KVM; one processor is quicker than two under emulation."""
        self.assertIn("-accel tcg -cpu max -smp 1 ", options(MACHINE))
        self.assertIn("-accel kvm -cpu host -smp 2 ", options(replace(MACHINE, accel="kvm")))

    def test_uefi_is_two_flash_chips_and_their_files_stay_as_they_are(self) -> None:
        """The code is read only, the variables a snapshot."""
        text = options(replace(MACHINE, firmware=Firmware(Path("/code"), Path("/vars"))))
        self.assertIn("if=pflash,unit=0,format=raw,readonly=on,file=/code", text)
        self.assertIn("if=pflash,unit=1,format=raw,snapshot=on,file=/vars", text)

    def test_arm_is_another_program(self) -> None:
        """And another machine."""
        line = argv(replace(MACHINE, arch="aarch64"))
        self.assertEqual(line[:3], ("qemu-system-aarch64", "-machine", "virt"))
        self.assertIn("max,pauth-impdef=on", line)


class FirmwareTests(SynchronousTestCase):
    """What the machine starts with."""

    def test_a_pc_has_a_bios_and_arm_has_not(self) -> None:
        """So ARM always asks for UEFI."""
        self.patch(module, "_ARM_FIRMWARE", ())
        self.assertIsNone(firmware("x86_64", "bios"))
        error = self.assertRaises(MissingTool, firmware, "aarch64", "bios")
        self.assertIn("qemu-efi-aarch64", error.hint)

    def test_the_first_pair_that_is_installed_is_used(self) -> None:
        """Both files have to be there."""
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        (directory / "code").touch()
        (directory / "vars").touch()
        half = Firmware(directory / "code", directory / "absent")
        whole = Firmware(directory / "code", directory / "vars")
        self.patch(module, "_X86_FIRMWARE", (half, whole))
        self.assertEqual(firmware("x86_64", "uefi"), whole)
        self.patch(module, "_X86_FIRMWARE", (half,))
        self.assertIn("ovmf", self.assertRaises(MissingTool, firmware, "x86_64", "uefi").hint)

    def test_other_architectures_are_refused(self) -> None:
        """By name."""
        self.assertIn("s390x", str(self.assertRaises(Unsupported, firmware, "s390x", "bios")))
