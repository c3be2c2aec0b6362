"""Finding the family of an operating system."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import NotFound, Unsupported
from imagefactory.model.template import Arch, OperatingSystem, UrlInstall
from imagefactory.systems.families import registry


def os(name: str, version: str) -> OperatingSystem:
    """An `os` element."""
    return OperatingSystem(name, version, Arch.X86_64, UrlInstall("http://mirror.example/"))


class RegistryTests(SynchronousTestCase):
    """One table, three kinds of trouble."""

    def test_each_os_has_its_family(self) -> None:
        """The pair of name and version decides."""
        self.assertEqual(registry.find(os("Ubuntu", "24.04"))[0].name, "debian")
        self.assertEqual(registry.find(os("RHEL-9", "3"))[0].name, "redhat")

    def test_an_unknown_os_is_told_what_is_known(self) -> None:
        """The hint lists all families' releases."""
        error = self.assertRaises(Unsupported, registry.find, os("Plan9", "4"))
        self.assertIn("Plan9 4", str(error))
        self.assertIn("Debian 8, 9", error.hint)
        self.assertIn("Fedora", error.hint)

    def test_an_unknown_family(self) -> None:
        """Nobody registered it."""
        self.assertRaises(NotFound, registry.family, "slackware")

    def test_a_broken_family(self) -> None:
        """It is registered and cannot be imported."""
        self.patch(registry, "OURS", {"broken": "imagefactory.systems.families.nowhere"})
        self.assertRaises(registry.BrokenRoom, registry.family, "broken")

    def test_something_else(self) -> None:
        """It can be imported and is no family."""

        class Point:
            name = "odd"

            def load(self) -> object:
                return object()

        self.patch(registry, "entry_points", lambda group: [Point()])
        self.assertRaises(registry.NotAFamily, registry.family, "odd")
