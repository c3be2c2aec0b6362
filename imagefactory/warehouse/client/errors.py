"""What an unexpected status means."""

from __future__ import annotations

from math import inf

from imagefactory.lib.errors import (
    Conflict,
    FactoryError,
    Forbidden,
    InvalidInput,
    NoSpace,
    NotFound,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from imagefactory.warehouse.interface import Changed

HICCUPS = 3
"""How often something is tried that may never work, such as what was answered with 500."""

_KINDS: dict[int, tuple[type[FactoryError], str, str]] = {
    400: (InvalidInput, "the warehouse cannot read the request", ""),
    401: (
        Unauthorized,
        "the warehouse does not know us",
        "check warehouse_key and warehouse_secret, and the clocks of both sides",
    ),
    403: (Forbidden, "the warehouse does not allow that", ""),
    404: (NotFound, "the warehouse has no such thing", ""),
    409: (Conflict, "the warehouse says that something else is in the way", "try again later"),
    412: (Changed, "the object has been changed meanwhile", ""),
    413: (TooLarge, "that is too large for the warehouse", ""),
    501: (Unsupported, "the warehouse cannot do that", ""),
    507: (NoSpace, "the warehouse is full", "delete objects there, or enlarge its disk"),
}
_PROXIES = {502, 504}
"""A proxy has no reply of the server, which may have done what it was asked for."""
_BUSY = {408, 429, 503} | _PROXIES


class TemporarilyUnavailable(Unavailable):
    """What may go by itself: worth `tries` tries in all.

    `doubtful`: what was asked for may have been done all the same.
    """

    def __init__(self, message: str, *, where: str = "", tries: float = inf, doubtful: bool = True) -> None:
        super().__init__(message, where=where)
        self.tries = tries
        self.doubtful = doubtful


def refusal(status: int, where: str, reason: str) -> FactoryError:
    """The error for a reply with this status; `reason` is what the server said, if anything."""
    said = f": {reason}" if reason else ""
    if status in _KINDS:
        kind, message, hint = _KINDS[status]
        return kind(f"{message} (status {status}{said})", where=where, hint=hint)
    if status in _BUSY:
        doubtful = status in _PROXIES
        return TemporarilyUnavailable(
            f"the warehouse is not ready (status {status}{said})", where=where, doubtful=doubtful
        )
    return TemporarilyUnavailable(f"the warehouse does not work (status {status}{said})", where=where, tries=HICCUPS)
