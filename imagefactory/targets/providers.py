"""Resolves providers: names and definitions to targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from imagefactory.lib.errors import Unsupported
from imagefactory.model.providers import Definition, Provider, is_definition, parse_definition
from imagefactory.model.reading import quoted
from imagefactory.targets.descriptor import TargetDescriptor

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

Definitions = Mapping[str, Mapping[str, Definition]]
"""The providers that the administrator has defined, by target and name."""


def resolve_provider(text: str, targets: Sequence[TargetDescriptor], definitions: Definitions) -> Provider:
    """Returns the provider that `text` means.

    Args:
        text: a definition as XML or JSON, a name that the administrator has defined, or a name that needs no
            definition. A typo matches nothing: version 1.0 took it for condorcloud and copied the image to a local
            directory.
        targets: all that are installed.
        definitions: of the administrator.

    Raises:
        Unsupported: there is no such provider or target; the error lists what is known.
        InvalidInput: a definition is wrong.
    """
    if is_definition(text):
        return _in_place(text, targets)
    name = text.strip()
    for target, defined in definitions.items():
        if name in defined:
            return Provider(name, target, defined[name])
    return _named(name, targets, definitions)


def shown_names(target: TargetDescriptor) -> tuple[str, ...]:
    """Returns the forms of its providers' names that need no definition, for people."""
    return tuple(names.shown for names in target.names)


def _in_place(text: str, targets: Sequence[TargetDescriptor]) -> Provider:
    provider = parse_definition(text)
    known = [target.name for target in targets]
    if provider.target not in known:
        raise Unsupported(f"there is no target {quoted(provider.target)}; known are {', '.join(known)}")
    return provider


def _named(name: str, targets: Sequence[TargetDescriptor], definitions: Definitions) -> Provider:
    well_formed = _NAME.fullmatch(name)
    if well_formed:
        for target in targets:
            if any(names.pattern.fullmatch(name) for names in target.names):
                return Provider(name, target.name)
    what = f"there is no provider {quoted(name)}" if well_formed else "this is no name of a provider"
    raise Unsupported(f"{what}; known are {', '.join(_known(targets, definitions))}", hint=_hint(targets))


def _known(targets: Sequence[TargetDescriptor], definitions: Definitions) -> Iterator[str]:
    for defined in definitions.values():
        yield from defined
    for target in targets:
        yield from shown_names(target)


def _hint(targets: Sequence[TargetDescriptor]) -> str:
    files = [target.definition.file for target in targets if target.definition.file]
    return f"define it in {' or '.join(files)}, or give its definition as XML or JSON"
