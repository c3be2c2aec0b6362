"""Which part of a query an index on (attribute, value) can answer.

In a chain of `&&` each `$name == "text"` narrows the candidates. A text of digits only compares as a number ("10" is
"010"), the empty text matches what is absent: an index on texts answers neither. If the whole query is of this
form, the candidates are the answer, else the query is evaluated on each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagefactory.warehouse.names import PSEUDO_ATTRIBUTES
from imagefactory.warehouse.query.evaluate import is_number
from imagefactory.warehouse.query.syntax import Comparison, Field, Group, Query, TextLiteral


@dataclass(frozen=True, slots=True)
class Equality:
    """The attribute `name` has exactly this value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Objects that satisfy all `equalities` are candidates; `exact`: they are the answer."""

    equalities: tuple[Equality, ...]
    exact: bool


def plan(query: Query) -> Plan:
    """What the index can do for `query`."""
    parts = [_equality(part) for part in _conjuncts(query)]
    found = tuple(dict.fromkeys(part for part in parts if part is not None))
    return Plan(found, exact=bool(found) and None not in parts)


def _conjuncts(query: Query) -> Iterator[Comparison]:
    """The parts that must all be true; a chain with `||` in it is one part that no index answers."""
    if any(sign != "&&" for sign, _ in query.rest):
        yield Comparison(Group(query))
        return
    for part in (query.first, *(comparison for _, comparison in query.rest)):
        if isinstance(part.left, Group) and part.comparator is None and not part.negated:
            yield from _inside(part.left, part)
        else:
            yield part


def _inside(group: Group, part: Comparison) -> Iterator[Comparison]:
    if any(sign != "&&" for sign, _ in group.query.rest):
        yield part
    else:
        yield from _conjuncts(group.query)


def _equality(part: Comparison) -> Equality | None:
    if part.comparator != "==" or part.negated:
        return None
    match part.left, part.right:
        case (Field(name, ()), TextLiteral(value)) | (TextLiteral(value), Field(name, ())):
            usable = not is_number(value) and name not in PSEUDO_ATTRIBUTES
            return Equality(name, value) if usable else None
        case _:
            return None
