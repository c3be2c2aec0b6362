"""What an object has to be like before it is changed, looked at in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imagefactory.warehouse.interface import Changed, agrees
from imagefactory.warehouse.store.objects import StoredObject

ReadAttributes = Callable[[], Mapping[str, str]]
"""Returns the attributes that the object has; empty if there is none."""

Condition = Callable[[StoredObject | None, ReadAttributes], None]
"""Raises what shall stop the change."""


def always(_stored: StoredObject | None, _attributes: ReadAttributes) -> None:
    """Let every change happen."""


def expecting(expected: Mapping[str, str | None], wanted: Mapping[str, str | None] | None = None) -> Condition:
    """Returns the condition that these attributes are as given (None or empty: absent); it raises Changed.

    Args:
        wanted: what the change sets: an object that has it already is as it should be, too.
    """

    def check(_stored: StoredObject | None, attributes: ReadAttributes) -> None:
        found = attributes()
        if wanted and agrees(found, wanted):
            return
        for name, value in expected.items():
            if found.get(name, "") != (value or ""):
                raise Changed(
                    f"the attribute {name} has been changed meanwhile", hint="read it again, then decide anew"
                )

    return check if expected else always
