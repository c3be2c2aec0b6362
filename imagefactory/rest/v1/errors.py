"""The error document of version 1.0."""

from __future__ import annotations

from collections.abc import Mapping

from imagefactory.rest.errors import ErrorReplies
from imagefactory.rest.v1 import paths


def error_document(error: str, hint: str, incident: str) -> Mapping[str, object]:
    """Returns what happened and what to do; what is not known is null."""
    return {"error": error, "hint": hint or None, "incident": incident or None}


ERRORS = ErrorReplies(error_document, paths.OPENAPI)
