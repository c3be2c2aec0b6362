"""The targets that are registered."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unsupported
from imagefactory.lib.plugins.registry import Registry, WrongPlugin
from imagefactory.targets.registry import OURS, TARGETS, InstalledTargets, is_descriptor
from imagefactory.testing.targets import target_context


class TargetRegistryTests(SynchronousTestCase):
    """What is registered, and what counts as a target."""

    def test_all_of_ours_are_there(self) -> None:
        """Each under the name it has itself."""
        for name in OURS:
            self.assertEqual(TARGETS.get(name).name, name)

    def test_a_target_is_made_once(self) -> None:
        """All jobs of a process share it."""
        targets = InstalledTargets(target_context())
        self.assertIs(targets.target("mock"), targets.target("mock"))

    def test_an_unknown_name(self) -> None:
        """The error lists what there is."""
        error = self.assertRaises(Unsupported, TARGETS.get, "ec3")
        self.assertIn("ec3", str(error))
        self.assertIn("rhevm, vsphere", error.hint)

    def test_something_else(self) -> None:
        """What is no descriptor is refused."""
        odd = Registry("target", "x", {"odd": "json:loads"}, is_descriptor)
        self.assertRaises(WrongPlugin, odd.get, "odd")
