"""From the text of a query to tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from imagefactory.lib.errors import InvalidInput, Problem


class TokenKind(Enum):
    """What a token is."""

    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    NAME = "name"
    COMPARE = "comparison"
    SIGN = "sign"  # one of $ # . ( ) ! && ||
    END = "end of the query"


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is without quotes for strings and dates; `place` counts characters from 1."""

    kind: TokenKind
    text: str
    place: int


_TOKEN = re.compile(
    r"""[ \t\r\n]+
    | "(?P<TEXT>[^"]*)"
    | ~(?P<DATE>[^~]*)~
    | (?P<NUMBER>[0-9]+)
    | (?P<NAME>[A-Za-z_][A-Za-z0-9_-]*)
    | (?P<COMPARE><=|>=|==|!=|<|>)
    | (?P<SIGN>&&|\|\||[$\#.()!])""",
    re.VERBOSE,
)


def wrong(reason: str, place: int) -> InvalidInput:
    """The error for a query that cannot be read; `place` counts characters from 1."""
    return InvalidInput("the query cannot be read", problems=[Problem(f"character {place}", reason)])


def tokenise(text: str) -> Iterator[Token]:
    """All tokens and one END; InvalidInput at the first character that begins none."""
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise wrong(f"{text[place]!r} begins nothing known (or a quote that is not closed)", place + 1)
        if found.lastgroup:
            yield Token(TokenKind[found.lastgroup], found[found.lastgroup], place + 1)
        place = found.end()
    yield Token(TokenKind.END, "", len(text) + 1)
