"""How many clients a daemon serves at once, by how many files the system lets it open."""

from __future__ import annotations

from twisted.logger import Logger

from imagefactory.lib.runtime.descriptors import connections_within
from imagefactory.settings import Settings

WAREHOUSE = 2
"""Descriptors of a client of the warehouse: a connection, and a body that comes or goes."""
REST = 1
"""Descriptors of a client of the REST API: a connection."""

log = Logger()


def each_of_factory(settings: Settings) -> int:
    """Returns how many descriptors one client at each port of the factory's daemon takes."""
    return REST if settings.warehouse else REST + WAREHOUSE


def most_connections(settings: Settings, each: int) -> int:
    """Returns how many connections a port may have; logs it if these are fewer than were asked for."""
    most = connections_within(settings.max_connections, each=each)
    if most < settings.max_connections:
        log.warn(
            "{most} connections are served at once, not {wanted} (max_connections): raise the limit of open files",
            most=most,
            wanted=settings.max_connections,
        )
    return most
