"""Ids: UUIDs in their usual form."""

from __future__ import annotations

import re
from uuid import uuid4

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(text: str) -> bool:
    """Returns whether all of `text` is a UUID, in any case."""
    return _UUID.fullmatch(text) is not None


def canonical(id: str) -> str:
    """Returns the one spelling of a UUID; what is none stays as it is."""
    return id.lower() if is_uuid(id) else id


def new_id() -> str:
    """Returns a fresh id."""
    return str(uuid4())
