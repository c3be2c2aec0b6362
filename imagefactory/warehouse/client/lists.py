"""Reading the lists that warehouses answer with."""

from __future__ import annotations

import json

from imagefactory.lib.errors import FactoryError
from imagefactory.model.xml import parse_xml
from imagefactory.warehouse.client.exchange import rubbish

JSON = "application/json, application/problem+json"


def keys(data: bytes, where: str) -> list[str]:
    """The keys of a listing or a query result, as JSON."""
    try:
        found = [entry["key"] for entry in json.loads(data)]
    except (ValueError, TypeError, KeyError):
        raise rubbish("this is no list of objects", where) from None
    if not all(isinstance(key, str) for key in found):
        raise rubbish("a key is no text", where)
    return found


def values(data: bytes, where: str) -> dict[str, str]:
    """Attributes with their values, as JSON (ours)."""
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise rubbish("these are no attributes", where)
    return found


def names(data: bytes, where: str) -> list[str]:
    """The names in an attribute list, as XML: iwhd's JSON form of it is not valid."""
    try:
        root = parse_xml(data, what="list of attributes", limit=len(data), quoting=False)
    except FactoryError:
        raise rubbish("this is no list of attributes", where) from None
    return [name for element in root.iter("object_attr") if (name := element.get("name"))]
