"""A plug-in is found by its name, or the error says why not."""

from importlib.metadata import EntryPoint
from typing import TypeGuard

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import NotFound, Unsupported
from imagefactory.lib.plugins.registry import BrokenPlugin, Registry, WrongPlugin

GROUP = "imagefactory.numbers"
SEVEN, EIGHT = 7, 8
OURS = {"seven": f"{__name__}:SEVEN"}


def is_number(found: object) -> TypeGuard[int]:
    """What fits."""
    return isinstance(found, int)


class RegistryTests(SynchronousTestCase):
    """Ours by a table, others by entry points."""

    def registry(self, **points: str) -> "Registry[int]":
        """With entry points as an installed package would have them."""
        self.asked: list[str] = []

        def installed(group: str) -> list[EntryPoint]:
            self.asked.append(group)
            return [EntryPoint(name, value, group) for name, value in points.items()]

        return Registry("number", GROUP, OURS, is_number, installed=installed)

    def test_ours_and_theirs(self) -> None:
        """Ours come first and keep their names; the entry points are read once."""
        registry = self.registry(seven=f"{__name__}:EIGHT", eight=f"{__name__}:EIGHT", a="nowhere:X")
        self.assertEqual(registry.names(), ("seven", "a", "eight"))
        self.assertEqual((registry.get("seven"), registry.get("eight")), (7, 8))
        self.assertEqual(self.asked, [GROUP])

    def test_an_unknown_name(self) -> None:
        """The error lists what there is; its class is the caller's choice."""
        error = self.assertRaises(NotFound, self.registry().get, "nine")
        self.assertEqual((str(error), error.hint), ("number: there is no number 'nine'", "there are seven"))
        other: Registry[int] = Registry("number", GROUP, OURS, is_number, unknown=Unsupported)
        self.assertRaises(Unsupported, other.get, "nine")

    def test_a_broken_plug_in(self) -> None:
        """Whatever goes wrong while it is imported; the error names it."""
        registry = self.registry(gone="imagefactory.no_such_module:X", lacking=f"{__name__}:NOTHING")
        for name in ("gone", "lacking"):
            self.assertIn(name, str(self.assertRaises(BrokenPlugin, registry.get, name)))

    def test_something_else(self) -> None:
        """It can be imported and does not fit."""
        error = self.assertRaises(WrongPlugin, self.registry(wrong="json:loads").get, "wrong")
        self.assertIn("number wrong", str(error))

    def test_the_entry_points_of_this_installation(self) -> None:
        """They are read unless the caller names a finder."""
        scripts: Registry[int] = Registry("script", "console_scripts", {}, is_number)
        self.assertIn("imagefactory", scripts.names())
