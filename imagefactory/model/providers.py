"""Providers: which target a provider belongs to, and its definition."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagefactory.lib.errors import InvalidInput, Problem, Unsupported
from imagefactory.model.reading import quoted
from imagefactory.model.xml import parse_xml, string_value

TARGETS = ("ec2", "rhevm", "vsphere", "condorcloud", "rackspace", "openstack-kvm", "mock")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
#: Names that speak for themselves, as a pattern and as people read it. A slip of the pen matches nothing: version 1.0
#: took it for condorcloud and copied the image to a local directory.
_NAMED = (
    (re.compile(r"ec2-[a-z0-9]+(-[a-z0-9]+)+"), "ec2", "ec2-REGION"),
    (re.compile(r"rackspace"), "rackspace", "rackspace"),
    (re.compile(r"mock.*"), "mock", "mock..."),
    (re.compile(r"condorcloud(-.+)?"), "condorcloud", "condorcloud or condorcloud-..."),
    (re.compile(r"openstack.*"), "openstack-kvm", "openstack..."),
)

Definition = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as asked for.

    `name` is all that is shown and stored of it, `target` its cloud, `definition` the settings of a defined one, which
    may hold passwords. The text that somebody defined it with is not kept.
    """

    name: str
    target: str
    definition: Definition = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ProviderDefinitions:
    """The providers that the administrator has named, by name."""

    rhevm: Mapping[str, Definition] = field(default_factory=dict, repr=False)
    vsphere: Mapping[str, Definition] = field(default_factory=dict, repr=False)


def parse_definitions(rhevm: bytes | None, vsphere: bytes | None) -> ProviderDefinitions:
    """The contents of rhevm.json and vsphere.json (None: no such file), each an object name -> object of settings.

    Raises InvalidInput, which never repeats a value.
    """
    return ProviderDefinitions(_definitions(rhevm, "rhevm.json"), _definitions(vsphere, "vsphere.json"))


def resolve_provider(text: str, definitions: ProviderDefinitions) -> Provider:
    """The provider that `text` means.

    `text` is an XML element with the settings as attributes, a JSON object with them, a name that the administrator has
    defined, or a name that speaks for itself. Inline definitions need `name` and `target`. Raises Unsupported with all
    that is known, InvalidInput for an inline definition that is wrong.
    """
    stripped = text.strip()
    if stripped.startswith("<"):
        return _inline(_xml_definition(stripped))
    if stripped.startswith("{"):
        return _inline(_json_definition(stripped))
    for target, defined in (("rhevm", definitions.rhevm), ("vsphere", definitions.vsphere)):
        if stripped in defined:
            return Provider(stripped, target, defined[stripped])
    return _named(stripped, definitions)


def name_forms(target: str) -> tuple[str, ...]:
    """How names look, for people, that speak for this target by themselves."""
    return tuple(words for _, known, words in _NAMED if known == target)


def _named(name: str, definitions: ProviderDefinitions) -> Provider:
    if _NAME.fullmatch(name):
        for pattern, target, _ in _NAMED:
            if pattern.fullmatch(name):
                return Provider(name, target)
    what = f"there is no provider {quoted(name)}" if _NAME.fullmatch(name) else "this is no name of a provider"
    known = [*definitions.rhevm, *definitions.vsphere, *(words for _, _, words in _NAMED)]
    raise Unsupported(
        f"{what}; known are {', '.join(known)}",
        hint="define it in rhevm.json or vsphere.json, or give its definition as XML or JSON",
    )


def _inline(definition: Definition) -> Provider:
    missing = [key for key in ("name", "target") if not definition.get(key)]
    if missing:
        raise _refused(f"it says no {' and no '.join(missing)}")
    target, rest = definition["target"], {k: v for k, v in definition.items() if k not in {"name", "target"}}
    if target not in TARGETS:
        raise Unsupported(f"there is no target {quoted(target)}; known are {', '.join(TARGETS)}")
    return Provider(definition["name"], target, rest)


def _xml_definition(text: str) -> Definition:
    root = parse_xml(text.encode("utf-8", "replace"), what="provider definition", quoting=False)
    if string_value(root).strip() or root.find("*") is not None:
        raise _refused("settings are attributes of its one element; it has text or further elements")
    return {str(key): str(value).strip() for key, value in root.attrib.items()}


def _json_definition(text: str) -> Definition:
    return _plain(_json(text.encode("utf-8", "replace"), "provider definition"), "provider definition")


def _definitions(document: bytes | None, name: str) -> Mapping[str, Definition]:
    if document is None:
        return {}
    return {provider: _plain(settings, f"{name}: {provider}") for provider, settings in _json(document, name).items()}


def _json(document: bytes, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(document.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise _refused("it is not JSON", where=where) from None
    if not isinstance(value, dict):
        raise _refused("it is no JSON object", where=where)
    return value


def _plain(settings: Any, where: str) -> Definition:
    """Settings as texts: numbers and booleans are what people write them."""
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
