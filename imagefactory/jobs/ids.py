"""Ids that callers hand in."""

from __future__ import annotations

from uuid import UUID

from imagefactory.model.errors import InvalidInput, Problem


def checked(id: str | None, name: str) -> str | None:
    """The id, if it is one: a UUID in its usual form, lower case.

    Clients may bring ids never seen before; they become keys in the warehouse. Raises InvalidInput.
    """
    if id is None:
        return None
    try:
        if str(UUID(id)) == id.lower():
            return id
    except ValueError:
        pass
    problem = Problem(name, "a UUID like 11111111-2222-3333-4444-555555555555 is needed")
    raise InvalidInput(f"{name} is not a UUID", problems=[problem])
