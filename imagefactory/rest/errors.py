"""Errors as clients see them: one table from error class to HTTP status, one JSON document."""

from __future__ import annotations

import json
import secrets

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from imagefactory.lib import errors
from imagefactory.rest.reply import JSON, Reply

_log = Logger()


class UnsupportedMedia(errors.InvalidInput):
    """The request's body is of a type that is not understood."""


#: The first class that fits decides; subclasses stand before their bases.
STATUS: tuple[tuple[type[errors.FactoryError], int], ...] = (
    (UnsupportedMedia, http.UNSUPPORTED_MEDIA_TYPE),
    (errors.InvalidInput, http.BAD_REQUEST),
    (errors.NotFound, http.NOT_FOUND),
    (errors.Conflict, http.CONFLICT),
    (errors.TooLarge, http.REQUEST_ENTITY_TOO_LARGE),
    (errors.Unauthorized, http.UNAUTHORIZED),
    (errors.Forbidden, http.FORBIDDEN),
    (errors.NoSpace, http.INSUFFICIENT_STORAGE_SPACE),
    (errors.MissingTool, http.SERVICE_UNAVAILABLE),
    (errors.Unavailable, http.SERVICE_UNAVAILABLE),
    (errors.Stopped, http.SERVICE_UNAVAILABLE),
    (errors.Busy, http.SERVICE_UNAVAILABLE),
    (errors.FactoryError, http.INTERNAL_SERVER_ERROR),
)
REALM = b'OAuth realm="imagefactory"'


def status_of(error: errors.FactoryError) -> int:
    """The HTTP status that `error` stands for."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def error_reply(status: int, error: str, hint: str = "", incident: str = "") -> Reply:
    """The error document; what is not known is null."""
    document = {"error": error, "hint": hint or None, "incident": incident or None}
    return Reply(json.dumps(document).encode(), status, JSON)


def reply_to(failure: Failure) -> Reply:
    """The answer to whatever went wrong; what nobody expected is logged and gets an incident id."""
    error = failure.value
    if isinstance(error, errors.FactoryError):
        reply = error_reply(status_of(error), str(error), error.hint)
        reply.headers = ((b"WWW-Authenticate", REALM),) if isinstance(error, errors.Unauthorized) else ()
        return reply
    if isinstance(error, HTTPException):
        return _routing_reply(error)
    incident = secrets.token_hex(6)
    _log.failure("incident {incident}: unexpected error in a request", failure=failure, incident=incident)
    return error_reply(500, "internal error", "search the daemon's log for the incident id", incident)


def _routing_reply(error: HTTPException) -> Reply:
    status = error.code or http.BAD_REQUEST
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        reply = error_reply(status, "method not allowed here", f"allowed: {allowed}")
        reply.headers = ((b"Allow", allowed.encode()),)
        return reply
    if status == http.NOT_FOUND:
        return error_reply(status, "no such resource", "see /imagefactory/openapi.json")
    return error_reply(status, error.name)
