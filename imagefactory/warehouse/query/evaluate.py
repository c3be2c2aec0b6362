"""Whether an object satisfies a query, by iwhd's truth table.

An absent attribute is the empty string. Two sides of digits only (the empty string counts as 0) compare as decimal
numbers of any size, other strings by their bytes, everything else is an error. An error is no match, also negated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from imagefactory.warehouse.query.syntax import (
    Atom,
    Comparison,
    Field,
    Group,
    NumberLiteral,
    Query,
    Setting,
    TextLiteral,
)

Resolve = Callable[[str, str, str], str]
"""(bucket, key, attribute) -> its value, empty if there is none: how `$a.b` is followed."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}


class _Digits(str):
    """A value that is a number and nothing else."""

    __slots__ = ()


def matches(
    query: Query, attributes: Mapping[str, str], resolve: Resolve, settings: Mapping[str, str] | None = None
) -> bool:
    """Whether the object with these attributes is selected; `settings` are what `#name` reads."""
    return _Evaluation(attributes, resolve, settings or {}).truth(query) is True


def is_number(text: str) -> bool:
    """Whether iwhd takes this string for a number: digits only, or empty."""
    return not text or (text.isascii() and text.isdigit())


class _Evaluation:
    """One query over one object; None stands for iwhd's error value."""

    def __init__(self, attributes: Mapping[str, str], resolve: Resolve, settings: Mapping[str, str]) -> None:
        self._attributes = attributes
        self._resolve = resolve
        self._settings = settings

    def truth(self, query: Query) -> bool | None:
        result = self._comparison(query.first)
        for sign, comparison in query.rest:
            if sign == "&&":
                result = self._comparison(comparison) if result else result
            else:
                result = result or self._comparison(comparison)
        return result

    def _comparison(self, comparison: Comparison) -> bool | None:
        left = self._value(comparison.left)
        if comparison.comparator is None or comparison.right is None:
            result = _truth(left)
        else:
            result = _compare(left, comparison.comparator, self._value(comparison.right))
        return (not result) if comparison.negated and result is not None else result

    def _value(self, atom: Atom) -> str | None:
        match atom:
            case TextLiteral(value):
                return value
            case NumberLiteral(digits):
                return _Digits(digits)
            case Field(name, links):
                return self._follow(self._attributes.get(name, ""), links)
            case Setting(name, links):
                return self._follow(self._settings.get(name, ""), links)
            case Group(query):
                truth = self.truth(query)
                return None if truth is None else _Digits(int(truth))
            case _:
                return None

    def _follow(self, value: str, links: tuple[str, ...]) -> str | None:
        for link in links:
            bucket, slash, key = value.partition("/")
            if not slash:
                return None
            value = self._resolve(bucket, key, link)
        return value


def _truth(value: str | None) -> bool | None:
    if value is None:
        return None
    return value.strip("0") != "" if isinstance(value, _Digits) else value != ""


def _compare(left: str | None, comparator: str, right: str | None) -> bool | None:
    if left is None or right is None:
        return None
    if is_number(left) and is_number(right):
        return _COMPARE[comparator](_magnitude(left), _magnitude(right))
    if isinstance(left, _Digits) or isinstance(right, _Digits):
        return None
    return _COMPARE[comparator](left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def _magnitude(digits: str) -> tuple[int, str]:
    """Orders as the number does, however long, without converting it."""
    plain = digits.lstrip("0")
    return len(plain), plain
