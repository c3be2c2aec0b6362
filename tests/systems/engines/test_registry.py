"""Finding an engine by name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.plugins.registry import Registry, WrongPlugin
from imagefactory.systems.engines.bootstrap.engine import BootstrapEngine
from imagefactory.systems.engines.registry import ENGINES, is_engine


class EngineRegistryTests(SynchronousTestCase):
    """What is registered, and what counts as an engine."""

    def test_ours(self) -> None:
        """The name gives the class."""
        self.assertIs(ENGINES.get("bootstrap"), BootstrapEngine)

    def test_something_else(self) -> None:
        """A class without an engine's methods is refused."""
        odd = Registry("engine", "x", {"odd": "imagefactory.systems.engines.interface:InstalledDisk"}, is_engine)
        self.assertRaises(WrongPlugin, odd.get, "odd")
