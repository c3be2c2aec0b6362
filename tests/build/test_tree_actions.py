"""What of a template gets onto the disk, beside the tree."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.actions import BuildContext
from imagefactory.build.tree_actions import TreeActions
from imagefactory.build.tree_disk import disk_spec
from imagefactory.model.template import Arch, OperatingSystem, Template, UrlInstall
from imagefactory.systems.engines.interface import BasePlan, SystemKind
from imagefactory.systems.families.interface import Kernel
from imagefactory.systems.families.registry import find
from imagefactory.targets.registry import TARGETS
from imagefactory.testing.targets import target_context

OS = OperatingSystem("Debian", "12", Arch.X86_64, UrlInstall("http://mirror.example/debian"), "quiet mitigations=off")
WHERE = Kernel("/boot/vmlinuz-6", "/boot/initrd.img-6")


def piece(template: Template, name: str = "rhevm") -> BuildContext:
    """What is built of this template."""
    return BuildContext(
        template,
        BasePlan(SystemKind.TREE, {}, *find(template.os)),
        TARGETS.get(name).make(target_context()),
    )


class DiskSpecTests(SynchronousTestCase):
    """`disk_spec` and its share of the stage key."""

    def test_the_kernel_s_parameters(self) -> None:
        """The target's come first, the template's last, because the last word counts for the kernel."""
        template = Template("web", OS)
        for name in ("rhevm", "ec2"):
            parameters = disk_spec(piece(template, name), WHERE, "seed").kernel_parameters
            self.assertEqual(parameters[-2:], ("quiet", "mitigations=off"), name)
        self.assertIn("nvme_core.io_timeout=4294967295", parameters)

    def test_the_disk_s_size(self) -> None:
        """As the template says, or left to the disk's maker."""
        template = Template("web", OS, disk_size=5 << 30)
        self.assertEqual(disk_spec(piece(template), WHERE, "seed").size, 5 << 30)
        self.assertIsNone(disk_spec(piece(replace(template, disk_size=None)), WHERE, "seed").size)

    def test_both_make_another_image(self) -> None:
        """They are in the key."""
        inputs = TreeActions(*[None] * 7).inputs
        before = inputs(piece(Template("web", OS)))
        self.assertNotEqual(inputs(piece(Template("web", OS, disk_size=5 << 30))), before)
        self.assertNotEqual(inputs(piece(Template("web", replace(OS, kernel_parameters="quiet")))), before)
