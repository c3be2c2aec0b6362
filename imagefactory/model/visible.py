"""Untrusted text on a terminal: nothing in it may move the cursor, hide a word or turn the direction of reading."""

from __future__ import annotations

import unicodedata

HIDDEN = {"Cc", "Cf", "Zl", "Zp"}
"""Unicode categories: control and format characters, line and paragraph separators."""


def is_hidden(character: str) -> bool:
    """Returns whether it does something instead of being seen."""
    return unicodedata.category(character) in HIDDEN


def is_control(character: str) -> bool:
    """Returns whether it is a control character, line ends and tabs included."""
    return unicodedata.category(character) == "Cc"


def visible(text: str) -> str:
    """`text` with such characters as escapes; tabs and line ends stay."""
    if text.isprintable():  # none of these categories: by far most lines
        return text
    return "".join(_escaped(one) if is_hidden(one) and one not in "\t\n" else one for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
