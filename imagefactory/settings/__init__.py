"""Settings: one table, from which flags, configuration keys, tap options, help, man page and sample are made."""

from imagefactory.settings.loading import load, with_changes
from imagefactory.settings.table import Settings

__all__ = ["Settings", "load", "with_changes"]
