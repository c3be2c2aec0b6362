"""From tokens to a tree; `&&` and `||` have one rank and bind from the left, so a chain is a flat list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imagefactory.warehouse.query.tokens import Token, TokenKind, tokenise, wrong

LONGEST = 1 << 16
DEEPEST = 50

Comparator = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True)
class TextLiteral:
    """A string literal."""

    value: str


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A number literal, as its decimal digits."""

    digits: str


@dataclass(frozen=True, slots=True)
class OtherLiteral:
    """A date or a bare name: they parse, but have no value."""

    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """`$name`, or `$name.link.link`: the attribute of the object that the attribute before names as bucket/key."""

    name: str
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """`#name`: a setting of the replication target; empty where there is none."""

    name: str
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A query in parentheses."""

    query: Query


Atom = TextLiteral | NumberLiteral | OtherLiteral | Field | Setting | Group


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two atoms compared; without `comparator` one atom that is asked for its truth."""

    left: Atom
    comparator: Comparator | None = None
    right: Atom | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """`first`, then each (`&&` or `||`, comparison) from the left."""

    first: Comparison
    rest: tuple[tuple[str, Comparison], ...] = ()


def parse(text: str) -> Query:
    """The query that `text` says; InvalidInput names the place where it stops making sense."""
    if len(text) > LONGEST:
        raise wrong(f"a query has at most {LONGEST} characters", LONGEST + 1)
    parser = _Parser(list(tokenise(text)))
    query = parser.query()
    parser.take(TokenKind.END)
    return query


class _Parser:
    """Recursive descent over tokens; only parentheses nest."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def take(self, kind: TokenKind, text: str | None = None) -> Token:
        token = self._next
        if token.kind is not kind or (text is not None and token.text != text):
            raise wrong(f"{text or kind.value} expected, not {token.text or token.kind.value!r}", token.place)
        self._at += 1
        return token

    def _took(self, kind: TokenKind, *texts: str) -> str:
        token = self._next
        if token.kind is not kind or (texts and token.text not in texts):
            return ""
        self._at += 1
        return token.text

    def query(self) -> Query:
        first, rest = self._unary(), []
        while sign := self._took(TokenKind.SIGN, "&&", "||"):
            rest.append((sign, self._unary()))
        return Query(first, tuple(rest))

    def _unary(self) -> Comparison:
        negated = bool(self._took(TokenKind.SIGN, "!"))
        left = self._atom()
        comparator = self._took(TokenKind.COMPARE)
        if not comparator:
            return Comparison(left, negated=negated)
        return Comparison(left, comparator, self._atom(), negated)  # type: ignore[arg-type]

    def _atom(self) -> Atom:
        if sign := self._took(TokenKind.SIGN, "$", "#"):
            return self._field(Field if sign == "$" else Setting)
        if self._took(TokenKind.SIGN, "("):
            return self._group()
        return self._literal()

    def _field(self, make: type[Field] | type[Setting]) -> Atom:
        name, links = self.take(TokenKind.NAME).text, []
        while self._took(TokenKind.SIGN, "."):
            links.append(self.take(TokenKind.NAME).text)
        return make(name, tuple(links))

    def _group(self) -> Group:
        self._depth += 1
        if self._depth > DEEPEST:
            raise wrong(f"parentheses nest deeper than {DEEPEST}", self._next.place)
        query = self.query()
        self.take(TokenKind.SIGN, ")")
        self._depth -= 1
        return Group(query)

    def _literal(self) -> Atom:
        token = self._next
        if token.kind not in {TokenKind.TEXT, TokenKind.NUMBER, TokenKind.DATE, TokenKind.NAME}:
            raise wrong(f"a value expected, not {token.text or token.kind.value!r}", token.place)
        self._at += 1
        if token.kind is TokenKind.TEXT:
            return TextLiteral(token.text)
        return NumberLiteral(token.text) if token.kind is TokenKind.NUMBER else OtherLiteral(token.text)
