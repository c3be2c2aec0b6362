"""Providers and the documents that define them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.model.reading import quoted
from imagefactory.model.xml import parse_xml, string_value

Definition = Mapping[str, str]
"""The settings of a provider, which may hold passwords."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as asked for.

    Args:
        name: all that is shown and stored of it.
        target: its cloud.
        definition: the settings of a defined provider. The text that defined it is not kept.
    """

    name: str
    target: str
    definition: Definition = field(default_factory=dict, repr=False)


def parse_definitions(document: bytes, file: str) -> Mapping[str, Definition]:
    """Returns the providers in a file of definitions, a JSON object of name to object of settings, by name.

    Raises InvalidInput, which names `file` and never repeats a value.
    """
    return {provider: _plain(settings, f"{file}: {provider}") for provider, settings in _json(document, file).items()}


def is_definition(text: str) -> bool:
    """Returns whether a provider is defined in place rather than named."""
    return text.lstrip()[:1] in {"<", "{"}


def parse_definition(text: str) -> Provider:
    """Returns the provider that is defined in place.

    Args:
        text: an XML element with the settings as attributes, or a JSON object of them; `name` and `target` among them.

    Raises InvalidInput, which never repeats a value.
    """
    stripped = text.strip()
    definition = _xml_definition(stripped) if stripped.startswith("<") else _json_definition(stripped)
    missing = [key for key in ("name", "target") if not definition.get(key)]
    if missing:
        raise _refused(f"it says no {' and no '.join(missing)}")
    rest = {key: value for key, value in definition.items() if key not in {"name", "target"}}
    return Provider(definition["name"], definition["target"], rest)


def _xml_definition(text: str) -> Definition:
    root = parse_xml(text.encode("utf-8", "replace"), what="provider definition", quoting=False)
    if string_value(root).strip() or root.find("*") is not None:
        raise _refused("settings are attributes of its one element; it has text or further elements")
    return {str(key): str(value).strip() for key, value in root.attrib.items()}


def _json_definition(text: str) -> Definition:
    return _plain(_json(text.encode("utf-8", "replace"), "provider definition"), "provider definition")


def _json(document: bytes, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(document.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise _refused("it is not JSON", where=where) from None
    if not isinstance(value, dict):
        raise _refused("it is no JSON object", where=where)
    return value


def _plain(settings: Any, where: str) -> Definition:
    """Returns the settings as texts; numbers and booleans as JSON writes them."""
    if not isinstance(settings, dict):
        raise _refused("it is no JSON object", where=where)
    wrong = [key for key, value in settings.items() if not isinstance(value, str | int | float | None)]
    if wrong:
        raise _refused(f"{', '.join(map(quoted, wrong))} has to be a text or number", where=where)
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in settings.items()
        if value is not None
    }


def _refused(reason: str, where: str = "provider definition") -> InvalidInput:
    return InvalidInput("this provider definition cannot be used", problems=[Problem(where, reason)])
