"""Finding the family of an operating system."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unsupported
from imagefactory.lib.plugins.registry import Registry, WrongPlugin
from imagefactory.model.template import Arch, OperatingSystem, UrlInstall
from imagefactory.systems.families.registry import FAMILIES, find, is_family


def os(name: str, version: str) -> OperatingSystem:
    """An `os` element."""
    return OperatingSystem(name, version, Arch.X86_64, UrlInstall("http://mirror.example/"))


class FamilyRegistryTests(SynchronousTestCase):
    """Which family knows an operating system."""

    def test_each_os_has_its_family(self) -> None:
        """The pair of name and version decides."""
        self.assertEqual(find(os("Ubuntu", "24.04"))[0].name, "debian")
        self.assertEqual(find(os("RHEL-9", "3"))[0].name, "redhat")

    def test_an_unknown_os_is_told_what_is_known(self) -> None:
        """The hint lists all families' releases."""
        error = self.assertRaises(Unsupported, find, os("Plan9", "4"))
        self.assertIn("Plan9 4", str(error))
        self.assertIn("Debian 8, 9", error.hint)
        self.assertIn("Fedora", error.hint)

    def test_every_family_of_ours_is_one(self) -> None:
        """Each can be imported, and has the name that it is registered as."""
        self.assertEqual([FAMILIES.get(name).name for name in FAMILIES.names()], ["debian", "redhat"])

    def test_something_else(self) -> None:
        """A thing without a family's parts is refused."""
        odd = Registry("family", "x", {"odd": "json:loads"}, is_family)
        self.assertRaises(WrongPlugin, odd.get, "odd")
