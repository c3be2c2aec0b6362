"""Which engines there are."""

from __future__ import annotations

from typing import TypeGuard

from imagefactory.lib.plugins.registry import Registry
from imagefactory.systems.engines.interface import Engine


def is_engine(found: object) -> TypeGuard[type[Engine]]:
    """Returns whether it has an engine's methods."""
    return all(callable(getattr(found, part, None)) for part in ("check", "plan", "build"))


#: Engine classes; an instance is made from an `EngineContext`.
ENGINES: Registry[type[Engine]] = Registry(
    "engine",
    "imagefactory.engines",
    {"bootstrap": "imagefactory.systems.engines.bootstrap.engine:BootstrapEngine"},
    is_engine,
)
