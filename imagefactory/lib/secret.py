"""Texts that must not be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_USER = re.compile(r"//[^/\s]*@")
_QUERY = re.compile(r"\?\S*")


def without_secrets(address: str) -> str:
    """A URL, or a line with one, for people: `...` for user and password, and no query, which may be a token."""
    return _QUERY.sub("", _USER.sub("//...@", address))


@dataclass(frozen=True, slots=True)
class Secret:
    """A password, key or token.

    Only `reveal()` shows it: not `repr`, not `str`, not a log, not JSON.
    """

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself, for the one place that hands it to its receiver."""
        return self._text

    def __str__(self) -> str:
        return "<secret>"

    def __repr__(self) -> str:
        return "Secret(<secret>)"

    def __bool__(self) -> bool:
        return bool(self._text)
