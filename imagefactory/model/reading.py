"""Reading an XML tree so that everything wrong with it is found in one go.

A `Node` notes what its reader asks for. Whatever was never asked for does not belong there, and the list of what was
asked for is what the error message says is allowed: the reader is the only description there has to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from lxml import etree

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.model.xml import string_value

MOST_PROBLEMS = 100
LONGEST_QUOTE = 60


def quoted(text: str) -> str:
    """`text` as an error shows it: with quotes, on one line, not too long."""
    short = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."
    return ascii(short) if not short.isprintable() else f"'{short}'"


class Problems:
    """What is wrong with a document, gathered while it is read."""

    def __init__(self) -> None:
        self._found: list[tuple[int, Problem]] = []
        self._more = 0

    def add(self, line: int, place: str, reason: str) -> None:
        """Note a problem; beyond `MOST_PROBLEMS` they are only counted."""
        if len(self._found) < MOST_PROBLEMS:
            self._found.append((line, Problem(f"line {line}, {place}", reason)))
        else:
            self._more += 1

    def __bool__(self) -> bool:
        """Returns whether there is any."""
        return bool(self._found)

    def check(self, message: str) -> None:
        """Raise InvalidInput with all that was noted, in document order; nothing noted: nothing raised."""
        if not self._found:
            return
        ordered = [problem for _, problem in sorted(self._found, key=lambda found: found[0])]
        more = [Problem("", f"and {self._more} more")] if self._more else []
        raise InvalidInput(message, problems=[*ordered, *more])


@dataclass(frozen=True, slots=True)
class Text:
    """A stripped text (of an element or an attribute) and where to complain about it."""

    value: str
    node: Node
    what: str

    def problem(self, reason: str) -> None:
        """This text is wrong; `reason` says what is allowed and need not repeat it."""
        self.node.problem(f"{self.what} {quoted(self.value)} {reason}")

    def secret_problem(self, reason: str) -> None:
        """As `problem`, and the text is not shown."""
        self.node.problem(f"{self.what} {reason}")

    def choice(self, allowed: Sequence[str]) -> str:
        """One of `allowed`; for anything else the first of them stands in."""
        if self.value in allowed:
            return self.value
        self.problem(f"is none of {', '.join(allowed)}")
        return allowed[0]


class Node:
    """One element being read.

    `optional`, `one`, `all`, `attribute` and `text` note what is known here; `end` on the root names what is left over
    in the whole tree. What is missing is a problem, and an empty node that swallows complaints stands in for it.
    """

    def __init__(self, element: etree._Element, problems: Problems, path: str = "") -> None:
        self._element = element
        self._problems = problems
        self.path = path or str(element.tag)
        self._attributes: list[str] = []
        self._children: list[str] = []
        self._read: list[Node] = []
        self._has_text = False

    @property
    def name(self) -> str:
        """The element's name."""
        return str(self._element.tag)

    @property
    def names(self) -> list[str]:
        """The names of the children, in order."""
        return [str(child.tag) for child in self._elements()]

    def problem(self, reason: str) -> None:
        """Something is wrong with this element."""
        line = cast("int | None", self._element.sourceline)  # the stubs do not know
        self._problems.add(line or 0, self.path, reason)

    def text(self) -> Text:
        """Returns the whole text, stripped."""
        self._has_text = True
        return Text(string_value(self._element).strip(), self, "the text")

    def attribute(self, name: str) -> Text | None:
        """Returns an attribute that may be absent."""
        self._attributes.append(name)
        value = self._element.get(name)
        return None if value is None else Text(str(value).strip(), self, f"the attribute {name}")

    def needs_attribute(self, name: str) -> Text:
        """Returns an attribute that must be there."""
        found = self.attribute(name)
        if found is None:
            self.problem(f"the attribute {name} is missing")
            return Text("", Node(self._element, Problems()), name)
        return found

    def all(self, name: str) -> list[Node]:
        """Returns all children of that name, in document order."""
        found = self._named(name)
        self._read.extend(found)
        return found

    def optional(self, name: str) -> Node | None:
        """Returns a child that may be there once."""
        found = self._named(name)
        for extra in found[1:]:
            extra.problem(f"<{name}> may stand here only once")
        self._read.extend(found[:1])
        return found[0] if found else None

    def one(self, name: str) -> Node:
        """Returns a child that must be there exactly once."""
        found = self.optional(name)
        if found is None:
            self.problem(f"<{name}> is missing")
            return Node(etree.Element(name), Problems())
        return found

    def end(self) -> None:
        """Name everything in this element, and in all that were read below it, that was not read."""
        self._end_attributes()
        self._end_children()
        if not self._has_text:
            self._end_text()
        for node in self._read:
            node.end()

    def _named(self, name: str) -> list[Node]:
        self._children.append(name)
        path = f"{self.path}/{name}"
        return [Node(child, self._problems, path) for child in self._elements() if child.tag == name]

    def _elements(self) -> list[etree._Element]:
        return [child for child in self._element if isinstance(child.tag, str)]

    def _end_attributes(self) -> None:
        for name in self._element.attrib:
            if str(name) not in self._attributes:
                self.problem(f"unknown attribute {quoted(str(name))}; {_allowed(self._attributes, 'attributes')}")

    def _end_children(self) -> None:
        for child in self._elements():
            if child.tag not in self._children:
                stray = Node(child, self._problems, f"{self.path}/{_local(child)}")
                stray.problem(f"unknown element {quoted(str(child.tag))}; {_allowed(self._children, 'elements')}")

    def _end_text(self) -> None:
        own = [self._element.text or "", *(child.tail or "" for child in self._element)]
        stray = "".join(own).strip()
        if stray:
            self.problem(f"the text {quoted(stray)} does not belong here; {_allowed(self._children, 'elements')}")


def _allowed(names: Sequence[str], what: str) -> str:
    return f"allowed here: {', '.join(dict.fromkeys(names))}" if names else f"no {what} are allowed here"


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
