"""Finding an engine by name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import NotFound
from imagefactory.systems.engines import registry
from imagefactory.systems.engines.bootstrap.engine import BootstrapEngine


class RegistryTests(SynchronousTestCase):
    """One table, three kinds of trouble."""

    def test_ours(self) -> None:
        """The name answers the class."""
        self.assertIs(registry.engine_class("bootstrap"), BootstrapEngine)

    def test_errors(self) -> None:
        """Unknown, broken, and something else."""
        self.patch(
            registry,
            "OURS",
            {"broken": "imagefactory.systems.engines.nowhere:X", "odd": "imagefactory.systems.engines.interface:Disk"},
        )
        self.assertRaises(NotFound, registry.engine_class, "bootstrap")
        self.assertRaises(registry.BrokenRoom, registry.engine_class, "broken")
        self.assertRaises(registry.NotAnEngine, registry.engine_class, "odd")
