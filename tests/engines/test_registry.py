"""Finding an engine by name."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.engines import registry
from imagefactory.engines.bootstrap.engine import BootstrapEngine
from imagefactory.model.errors import NotFound


class RegistryTests(SynchronousTestCase):
    """One table, three kinds of trouble."""

    def test_ours(self) -> None:
        """The name answers the class."""
        self.assertIs(registry.engine_class("bootstrap"), BootstrapEngine)

    def test_errors(self) -> None:
        """Unknown, broken, and something else."""
        self.patch(
            registry, "OURS", {"broken": "imagefactory.engines.nowhere:X", "odd": "imagefactory.engines.interface:Disk"}
        )
        self.assertRaises(NotFound, registry.engine_class, "bootstrap")
        self.assertRaises(registry.BrokenRoom, registry.engine_class, "broken")
        self.assertRaises(registry.NotAnEngine, registry.engine_class, "odd")
