"""Credentials for a provider, and the document they come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.lib.secret import Secret
from imagefactory.model.xml import parse_xml, string_value

#: What clients call the two parts of an EC2 key pair, and what version 1.0 called them.
SPELLINGS = {"ec2_credentials": {"key": "x509_private", "certificate": "x509_public"}}
HINT = "<provider_credentials><CLOUD_credentials>...</CLOUD_credentials></provider_credentials> is needed"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The child of a `provider_credentials` element: `kind` is its name (`ec2_credentials`), `fields` its children's
    texts."""

    kind: str
    fields: Mapping[str, Secret] = field(repr=False)


def parse_credentials(document: bytes) -> Credentials:
    """The credentials in `document`: any XML with one `provider_credentials` element, at any depth, with one child.

    Fields are stripped, empty ones left out; of an EC2 key pair both spellings are read (`key`, `certificate` become
    `x509_private`, `x509_public`). Raises InvalidInput or TooLarge, which never repeat anything of the document.
    """
    root = parse_xml(document, what="credentials document", quoting=False)
    found = list(root.iter("provider_credentials"))
    if len(found) != 1:
        raise _refused(f"{len(found)} elements <provider_credentials> are in it, not one")
    clouds = _children(found[0])
    if len(clouds) != 1:
        raise _refused(f"{len(clouds)} elements are in <provider_credentials>, not one")
    kind = str(clouds[0].tag)
    return Credentials(kind, _fields(clouds[0], SPELLINGS.get(kind, {})))


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
