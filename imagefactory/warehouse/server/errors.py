"""Which status an error is."""

from __future__ import annotations

import json
from uuid import uuid4

from twisted.logger import Logger

from imagefactory.lib.errors import (
    Busy,
    Conflict,
    FactoryError,
    Forbidden,
    InvalidInput,
    NoSpace,
    NotFound,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from imagefactory.warehouse.interface import Changed
from imagefactory.warehouse.server.call import Call, Reply

_STATUS: tuple[tuple[type[FactoryError], int], ...] = (
    (InvalidInput, 400),
    (Unauthorized, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Changed, 412),
    (Conflict, 409),
    (TooLarge, 413),
    (NoSpace, 507),
    (Unavailable, 503),
    (Busy, 503),
)
PROBLEM = "application/problem+json"
_log = Logger()


class StatusError(FactoryError):
    """Ends a call with this status, where the old API has one of its own."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


def reply_to(error: Exception, call: Call) -> Reply:
    """The reply for an error.

    Its body is empty, because old clients take any body for the answer; who accepts `application/problem+json` gets
    the reason. An unexpected error is logged with an incident id.
    """
    status = _status(error)
    headers: dict[str, str] = {}
    if isinstance(error, StatusError):
        headers |= error.headers
    if status == 401:
        headers["WWW-Authenticate"] = 'OAuth realm=""'
    if status == 500 and not isinstance(error, FactoryError):
        headers["X-Incident"] = incident = uuid4().hex
        _log.failure("unexpected, incident {incident}: {call.method} {call.path}", incident=incident, call=call)
    if PROBLEM not in (call.header("accept") or ""):
        return Reply(status, headers=headers)
    text = str(error) if isinstance(error, FactoryError) else "unexpected error"
    problem = {"status": status, "title": text, "hint": getattr(error, "hint", ""), **headers}
    return Reply(status, json.dumps(problem).encode(), {**headers, "Content-Type": PROBLEM})


def _status(error: Exception) -> int:
    if isinstance(error, StatusError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
