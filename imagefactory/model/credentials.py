"""Credentials for a provider, and the document they come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.lib.secret import Secret
from imagefactory.model.xml import parse_xml, string_value

HINT = "<provider_credentials><CLOUD_credentials>...</CLOUD_credentials></provider_credentials> is needed"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The child of a `provider_credentials` element.

    Args:
        kind: its name (`ec2_credentials`).
        fields: the texts of its children, by name.
    """

    kind: str
    fields: Mapping[str, Secret] = field(repr=False)


Spellings = Mapping[str, Mapping[str, str]]
"""By the name of a credentials element: other names of its fields, and what they mean."""


def parse_credentials(document: bytes, spellings: Spellings) -> Credentials:
    """Returns the credentials in a document.

    Args:
        document: any XML with one `provider_credentials` element, at any depth, with one child.
        spellings: the field names that clients use instead of ours.

    Texts are stripped, empty fields left out. Raises InvalidInput or TooLarge, which repeat nothing of the document.
    """
    root = parse_xml(document, what="credentials document", quoting=False)
    found = list(root.iter("provider_credentials"))
    if len(found) != 1:
        raise _refused(f"{len(found)} elements <provider_credentials> are in it, not one")
    clouds = _children(found[0])
    if len(clouds) != 1:
        raise _refused(f"{len(clouds)} elements are in <provider_credentials>, not one")
    kind = str(clouds[0].tag)
    return Credentials(kind, _fields(clouds[0], spellings.get(kind, {})))


def _fields(cloud: etree._Element, spellings: Mapping[str, str]) -> dict[str, Secret]:
    fields: dict[str, Secret] = {}
    for child in _children(cloud):
        name = spellings.get(str(child.tag), str(child.tag))
        if _children(child):
            raise _refused("a field has elements in it, not only text", line=child.sourceline)
        if name in fields:
            raise _refused("this field is there already", line=child.sourceline)
        fields[name] = Secret(string_value(child).strip())
    return {name: secret for name, secret in fields.items() if secret}


def _children(element: etree._Element) -> list[etree._Element]:
    return [child for child in element if isinstance(child.tag, str)]


def _refused(reason: str, *, line: object = None) -> InvalidInput:
    place = f"line {line}" if line else ""
    return InvalidInput("these credentials cannot be used", problems=[Problem(place, reason)], hint=HINT)
