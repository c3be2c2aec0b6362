"""The embedded warehouse: metadata in SQLite, bodies in files, usable by several processes at once."""

from imagefactory.warehouse.store.embedded import EmbeddedWarehouse, open_store

__all__ = ["EmbeddedWarehouse", "open_store"]
