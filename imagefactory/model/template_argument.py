"""What the template argument of a command or request is, judged by its form alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from imagefactory.lib.errors import InvalidInput
from imagefactory.model.ids import is_uuid


@dataclass(frozen=True, slots=True)
class XmlText:
    """The template itself."""

    document: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where the template can be fetched; the fetcher decides whether its scheme is allowed."""

    url: str


@dataclass(frozen=True, slots=True)
class StoredId:
    """The id (lower case) of a template or a target image in the warehouse."""

    id: str


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this host: for the local command line only."""

    path: Path


TemplateArgument = XmlText | Address | StoredId | LocalFile

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def classify(text: str) -> TemplateArgument:
    """What `text` is: XML if it begins with `<`, a URL if with a scheme, an id if all of it is a UUID, else a path.

    Version 1.0 looked for these anywhere in the text and so took paths for ids. Raises InvalidInput for nothing.
    """
    stripped = text.removeprefix("\ufeff").strip()
    if stripped.startswith("<"):
        return XmlText(stripped.encode("utf-8", "replace"))
    if _SCHEME.match(stripped):
        return Address(stripped)
    if is_uuid(stripped):
        return StoredId(stripped.lower())
    if not stripped or "\0" in stripped:
        raise InvalidInput("no template is given", hint="give XML text, a URL, a UUID or, on the command line, a path")
    return LocalFile(Path(text))
