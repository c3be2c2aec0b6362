"""The HTTP client: a `Warehouse` over our server, and over any iwhd.

`connect_warehouse` makes one. Which of the two answers is seen from its replies; only ours gets the additions to the
API. From the bottom up: `sending` and `receiving` (bodies), `exchange` (one request, signed), `waiting` (the only place
that tries again), `ours` and `iwhd` (the two ways to say the same), `remote` (the `Warehouse`).
"""

from imagefactory.warehouse.client.connect import WarehouseAddress, connect_warehouse, probe
from imagefactory.warehouse.client.remote import RemoteWarehouse

__all__ = ["RemoteWarehouse", "WarehouseAddress", "connect_warehouse", "probe"]
