"""A target is found by its name, or the error says why not."""

from importlib.metadata import EntryPoint
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Unsupported
from imagefactory.settings.table import Settings
from imagefactory.targets import registry
from imagefactory.targets.interface import Room, TargetContext
from imagefactory.targets.mock import ROOM
from imagefactory.testing.threads import ImmediateThreads


class RegistryTests(SynchronousTestCase):
    """Ours by a table, others by entry points."""

    def register(self, **points: str) -> None:
        """Entry points as an installed package would have them."""
        found = [EntryPoint(name.replace("_", "-"), value, registry.GROUP) for name, value in points.items()]
        self.patch(registry, "entry_points", lambda group: found)

    def test_all_of_ours_are_there(self) -> None:
        """Each under the name it has itself."""
        self.register()
        for name in registry.names():
            self.assertEqual(registry.room(name).name, name)
        self.assertEqual(set(registry.names()), set(registry.OURS))

    def test_a_target_is_made_once(self) -> None:
        """All jobs of a process share it."""
        targets = registry.Targets(TargetContext(Settings(), ImmediateThreads()))
        self.assertIs(targets.target("mock"), targets.target("mock"))

    def test_others_can_register(self) -> None:
        """By an entry point that names a room; ours keep their names."""
        self.register(other=f"{__name__}:OTHER", mock=f"{__name__}:OTHER")
        self.assertIn("other", registry.names())
        self.assertIs(registry.room("other"), OTHER)
        self.assertIs(registry.room("mock"), ROOM)

    def test_an_unknown_name(self) -> None:
        """Says what there is."""
        error = self.assertRaises(Unsupported, registry.room, "ec3")
        self.assertIn("ec3", str(error))
        self.assertIn("rhevm, vsphere", error.hint)

    def test_a_broken_room(self) -> None:
        """Whatever goes wrong while it is imported."""
        self.register(gone="imagefactory.no_such_module:ROOM", lacking=f"{__name__}:NOTHING")
        for name in ("gone", "lacking"):
            error = self.assertRaises(registry.BrokenRoom, registry.room, name)
            self.assertIn(name, str(error))

    def test_something_else(self) -> None:
        """An entry point that names no room; a module of ours that has none."""
        self.register(wrong="json:loads")
        self.assertRaises(registry.NotATarget, registry.room, "wrong")
        self.patch(registry, "import_module", ModuleType)
        self.assertRaises(registry.NotATarget, registry.room, "mock")


OTHER = Room("other", "for this test", ROOM.make)
