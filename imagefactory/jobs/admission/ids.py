"""Ids that callers hand in."""

from __future__ import annotations

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.model.ids import canonical, is_uuid


def checked(id: str | None, name: str) -> str | None:
    """The id in lower case, if it is a UUID; None for none (forms send empty fields).

    Clients may bring ids never seen before, and they become keys in the warehouse. Raises InvalidInput.
    """
    if not id:
        return None
    if is_uuid(id):
        return canonical(id)
    problem = Problem(name, "a UUID like 11111111-2222-3333-4444-555555555555 is needed")
    raise InvalidInput(f"{name} is not a UUID", problems=[problem])
