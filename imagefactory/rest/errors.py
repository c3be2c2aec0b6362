"""Errors as HTTP replies: one table from error class to status; the document belongs to the version of the API."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from imagefactory.lib import errors
from imagefactory.rest.reply import RestReply, json_reply

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


def status_of(error: errors.FactoryError) -> int:
    """Returns the HTTP status that `error` stands for."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


@dataclass(frozen=True, slots=True)
class ErrorReplies:
    """How one version of the API writes errors.

    `document` makes the body from message, hint and incident id (empty: none); `directory` is the address that lists
    all routes, which the reply to an unknown address names.
    """

    document: Callable[[str, str, str], Mapping[str, object]]
    directory: str

    def reply(self, status: int, error: str, hint: str = "", incident: str = "") -> RestReply:
        """Returns the reply with the error document."""
        return json_reply(self.document(error, hint, incident), status)

    def reply_to(self, failure: Failure) -> RestReply:
        """Returns the reply to any failure; an unexpected one is logged and gets an incident id."""
        error = failure.value
        if isinstance(error, errors.FactoryError):
            return self.reply(status_of(error), str(error), error.hint)
        if isinstance(error, CancelledError):  # not by a hang-up, which needs no reply: the site's tasks were closed
            return self.reply(http.SERVICE_UNAVAILABLE, "the daemon is stopping", "ask again when it is back")
        if isinstance(error, HTTPException):
            return self._routing_reply(error)
        incident = secrets.token_hex(6)
        _log.failure("incident {incident}: unexpected error in a request", failure=failure, incident=incident)
        return self.reply(500, "internal error", "search the daemon's log for the incident id", incident)

    def _routing_reply(self, error: HTTPException) -> RestReply:
        status = error.code or http.BAD_REQUEST
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            reply = self.reply(status, "method not allowed here", f"allowed: {allowed}")
            reply.headers = ((b"Allow", allowed.encode()),)
            return reply
        if status == http.NOT_FOUND:
            return self.reply(status, "no such resource", f"see {self.directory}")
        return self.reply(status, error.name)
