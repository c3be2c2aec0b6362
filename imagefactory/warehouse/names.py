"""Which names there may be, and which mean something of their own.

From iwhd: a name has 1 to 63 bytes; the reserved ones are those of its API and of ours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from imagefactory.lib.errors import InvalidInput, Problem, TooLarge

LONGEST = 63
ATTRIBUTE_LIMIT = 4 << 20
"""The largest attribute value, in bytes of UTF-8."""

RESERVED_KEYS = frozenset({"_default", "_new", "_policy", "_query"})
RESERVED_BUCKETS = RESERVED_KEYS | {"_providers", "_health", "_metrics"}
RESERVED_ATTRIBUTES = frozenset({"_attrs", "_bucket", "_date", "_etag", "_key", "_loc", "_size"})
PSEUDO_ATTRIBUTES = frozenset({"_bucket", "_etag", "_key", "_date", "_size", "_loc"})
"""Computed, never stored; a query reads the first three, the others are empty to it as they were in iwhd."""

DEFAULTS = "_default"
"""The object of a bucket whose `_policy` holds for all objects without one; never listed, never found."""


def problem(name: str) -> str:
    """Why this can be no name, in words; empty if it can."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not valid text"
    if not 1 <= size <= LONGEST:
        return f"has {size} bytes; 1 to {LONGEST} are allowed"
    if "/" in name or name in {".", ".."}:
        return "would be a path"
    if any(unicodedata.category(character) in {"Cc", "Cs"} or character in "\ufffe\uffff" for character in name):
        return "has a control character"
    return ""


def check(name: str, what: str) -> None:
    """InvalidInput if `name` cannot name a `what` (bucket, object, attribute)."""
    if reason := problem(name):
        raise InvalidInput(f"this cannot name {what}", problems=[Problem(repr(name), reason)])


def check_bucket(name: str) -> None:
    """InvalidInput unless a bucket may have this name."""
    check(name, "a bucket")
    if name in RESERVED_BUCKETS:
        raise InvalidInput("this bucket name is reserved", where=name)


def check_attribute(name: str) -> None:
    """InvalidInput unless clients may set an attribute of this name."""
    check(name, "an attribute")
    if name in RESERVED_ATTRIBUTES:
        raise InvalidInput("this attribute name is reserved", where=name)


def check_all(key: str, attributes: Mapping[str, str | None]) -> None:
    """InvalidInput for names that cannot be, TooLarge for values over the limit."""
    check(key, "an object")
    for name, value in attributes.items():
        check_attribute(name)
        if value is not None and len(value.encode()) > ATTRIBUTE_LIMIT:
            raise TooLarge(f"an attribute has at most {ATTRIBUTE_LIMIT} bytes", where=f"{key}/{name}")
