"""Every target keeps the contract, and what is its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, InvalidInput, Unavailable
from imagefactory.lib.secret import Secret
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.model.tdl import parse_loosely
from imagefactory.systems.qemu.hardware import DiskBus, Hardware, NetworkCard
from imagefactory.targets.descriptor import TargetContext
from imagefactory.targets.interface import Target, no_parameters
from imagefactory.targets.registry import InstalledTargets
from imagefactory.testing.targets import IMAGE_ID, PUSH_ID, LocalPushContract, TargetContract, target_context, template


class Registered(TargetContract):
    """The contract, run over a target as the registry makes it."""

    def make(self, context: TargetContext) -> Target:
        return InstalledTargets(context).target(self.name)


class Ec2Tests(Registered):
    """Amazon EC2."""

    name = "ec2"

    def test_it_boots_on_every_instance_type(self) -> None:
        """Drivers for both kinds of disk, a boot that waits for no volume, EC2's metadata first."""
        needs = self.target().needs(template())
        self.assertTrue({"nvme", "xen-blkfront"} <= set(needs.initrd_modules))
        self.assertTrue(needs.fstab_nofail)
        self.assertEqual((needs.cloud_init[0], needs.predictable_names), ("Ec2", False))
        self.assertEqual(self.target().conversion().format, "raw")

    def test_it_is_checked_as_nitro_shows_it(self) -> None:
        """From NVMe."""
        self.assertIs(self.target().hardware.disk, DiskBus.NVME)

    def test_parameters(self) -> None:
        """The sentence of 1.0."""
        parameters = self.target().parameters(template(), IMAGE_ID, 1)
        self.assertEqual(parameters, "No target parameters for cloud type ec2")


class OpenStackTests(Registered):
    """OpenStack."""

    name = "openstack-kvm"

    def test_the_file_is_small_and_quickly_made(self) -> None:
        """A compressed qcow2; zstd, because zlib would take most of the build's time."""
        conversion = self.target().conversion()
        self.assertEqual((conversion.format, conversion.compress), ("qcow2", True))
        self.assertEqual(conversion.options["compression_type"], "zstd")


class RackspaceTests(Registered):
    """Rackspace."""

    name = "rackspace"

    def test_the_size_is_kept(self) -> None:
        """Without force_size the disk would be rounded up."""
        conversion = self.target().conversion()
        self.assertEqual((conversion.format, conversion.options["force_size"]), ("vpc", "on"))

    def test_no_disk_is_larger_than_its_format_can_hold(self) -> None:
        """A VHD ends at 2040 GiB."""
        self.assertEqual(self.target().largest_disk, 2040 << 30)


class VSphereTests(Registered):
    """VMware vSphere."""

    name = "vsphere"

    def test_format_drivers_and_parameters(self) -> None:
        """As OVF import wants it; no parameters, said as in 1.0."""
        target = self.target()
        self.assertEqual(target.conversion().options["subformat"], "streamOptimized")
        self.assertIn("vmw_pvscsi", target.needs(template()).initrd_modules)
        self.assertEqual(target.parameters(template(), IMAGE_ID, 1), no_parameters("vsphere"))

    def test_it_is_checked_with_the_paravirtual_devices(self) -> None:
        """Which it has drivers for."""
        self.assertEqual(self.target().hardware, Hardware(DiskBus.PVSCSI, NetworkCard.VMXNET3))


class RhevmTests(Registered):
    """RHEV-M."""

    name = "rhevm"

    def test_the_format_is_a_setting(self) -> None:
        """The domain names the same format as the file has."""
        for name in ("qcow2", "raw"):
            target = self.target(rhevm_image_format=name)
            self.assertEqual((target.conversion().format, target.conversion().compress), (name, False))
            root = etree.fromstring((target.parameters(template(), IMAGE_ID, 1) or "").encode())
            driver = root.find("devices/disk/driver")
            assert driver is not None
            self.assertEqual(driver.get("type"), name)


class MockTests(Registered, LocalPushContract):
    """The mock cloud."""

    name = "mock"
    credentials = Credentials("mock_credentials", {"username": Secret("me")})

    def setUp(self) -> None:
        self.imgdir = Path(self.mktemp())

    def provider(self) -> Provider:
        return Provider("mock-1", "mock")

    def settings(self) -> dict[str, Any]:
        return {"imgdir": self.imgdir}

    def there(self) -> list[Path]:
        return [path for path in self.imgdir.rglob("*") if path.is_file()]

    def test_the_provider_image_is_that_of_1_0(self) -> None:
        """Identifier, place, account and body."""
        image = self.image()
        pushed = self.successResultOf(self.pushed(self.pushing(), image))
        self.assertEqual((pushed.identifier, pushed.account), (f"Mock_mock-1_{PUSH_ID}", "me"))
        self.assertEqual(pushed.body, b"abc")
        [path] = self.there()
        self.assertTrue(path.match(f"deltacloud-*/mock-1/images/{PUSH_ID}.yml"))

    def test_credentials_are_checked(self) -> None:
        """None, of another cloud, without user name: the error names the missing element."""
        others: list[Credentials | None] = [
            None,
            Credentials("ec2_credentials", {"username": Secret("me")}),
            Credentials("mock_credentials", {}),
            Credentials("mock_credentials", {"username": Secret("")}),
        ]
        for credentials in others:
            error = self.assertRaises(InvalidInput, self.pushing().account, credentials, self.provider())
            self.assertIn("mock_credentials/username", str(error))

    def test_a_provider_name_cannot_point_elsewhere(self) -> None:
        """It becomes a directory."""
        for name in ("../x", "a/b", "", "."):
            provider = Provider(name, "mock")
            self.assertRaises(InvalidInput, self.pushing().account, self.credentials, provider)

    def test_the_placeholder_is_yaml(self) -> None:
        """Deltacloud's keys are symbols; a name with quotes and line ends stays a text."""
        body = self.target().placeholder(template('a "b"\nc: d'), IMAGE_ID).decode()
        self.assertIn(':name: "a \\"b\\"\\nc: d"\n', body)
        self.assertTrue(body.startswith(f'---\n:id: "{IMAGE_ID}"\n'))

    def test_a_template_that_asks_for_failure(self) -> None:
        """Clients of 1.0 test their handling of failures with it; spaces and a declaration do not matter."""
        plain = b"<template>FAIL</template>"
        for source in (plain, b'<?xml version="1.0"?>\n' + plain + b"\n", b"<template> FAIL\n</template>"):
            error = self.assertRaises(BuildFailed, self.target().placeholder, parse_loosely(source), IMAGE_ID)
            self.assertIn("asks for a failed build", str(error))
        for source in (b"<template><name>FAIL</name></template>", b"<template>FAILED</template>"):
            self.assertTrue(self.target().placeholder(parse_loosely(source), IMAGE_ID))


class CondorcloudTests(Registered, LocalPushContract):
    """Condor cloud."""

    name = "condorcloud"

    def setUp(self) -> None:
        self.storage = Path(self.mktemp())
        (self.storage / "staging").mkdir(parents=True)

    def settings(self) -> dict[str, Any]:
        return {"condorcloud_path": self.storage}

    def there(self) -> list[Path]:
        return [path for path in self.storage.rglob("*") if path.is_file()]

    def test_image_and_domain_appear(self) -> None:
        """Names of 1.0; the domain points at the image where it is now."""
        pushed = self.successResultOf(self.pushed(self.pushing(), self.image()))
        self.assertEqual((pushed.identifier, pushed.account), (PUSH_ID, None))
        disk, xml = (self.storage / f"condorimage-{PUSH_ID}{suffix}" for suffix in (".img", ".xml"))
        self.assertEqual({disk, xml}, set(self.there()))
        source = etree.fromstring(xml.read_bytes()).find("devices/disk/source")
        assert source is not None
        self.assertEqual(source.get("file"), str(disk))

    def test_missing_directories_are_named(self) -> None:
        """1.0 failed somewhere in between."""
        (self.storage / "staging").rmdir()
        error = self.failureResultOf(self.pushed(self.pushing(), self.image()), Unavailable).value
        self.assertIn(str(self.storage / "staging"), str(error))
        self.assertIn("condorcloud_path", error.hint)

    def test_an_image_without_parameters_gets_a_domain(self) -> None:
        """One that another program stored in the warehouse."""
        image = self.image()
        bare = replace(image, template=None, parameters=None)
        self.successResultOf(self.pushed(self.pushing(), bare))
        self.assertEqual(len(self.there()), 2)

    def test_rubbish_parameters_are_refused(self) -> None:
        """Before anything is copied."""
        image = self.image()
        for parameters in ("None", "<domain/>", '<!DOCTYPE x [<!ENTITY a "b">]><domain>&a;</domain>'):
            bad = replace(image, template=None, parameters=parameters)
            self.failureResultOf(self.pushed(self.pushing(), bad), InvalidInput)
            self.assertEqual(self.there(), [])


class UnpushableTests(SynchronousTestCase):
    """Clouds without a push side in this version."""

    def test_which_can_be_pushed_to(self) -> None:
        """mock and condorcloud."""
        targets = InstalledTargets(target_context())
        names = ("condorcloud", "ec2", "mock", "openstack-kvm", "rackspace", "rhevm", "vsphere")
        pushable = [name for name in names if targets.target(name).pushing is not None]
        self.assertEqual(pushable, ["condorcloud", "mock"])


del Registered, TargetContract, LocalPushContract
