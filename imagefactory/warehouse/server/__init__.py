"""The HTTP server of the warehouse: iwhd's API, byte for byte where old clients look, and additions they never see."""

from imagefactory.warehouse.server.site import WarehouseSite, make_site
from imagefactory.warehouse.server.users import load_users

__all__ = ["WarehouseSite", "load_users", "make_site"]
