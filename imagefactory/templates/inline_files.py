"""What a template refers to by URL: finding it, and putting it in its place."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256

from imagefactory.lib.secret import without_secrets
from imagefactory.model.template import Content, Inline, Remote, Template


def remotes(template: Template) -> tuple[str, ...]:
    """URLs of everything that has to be fetched, each once."""
    found = (content.url for content in _contents(template) if isinstance(content, Remote))
    return tuple(dict.fromkeys(found))


def filled(template: Template, fetched: Mapping[str, bytes]) -> Template:
    """Returns the template with the fetched contents in it; KeyError for a URL that is missing."""

    def fill(content: Content) -> Content:
        return Inline(fetched[content.url]) if isinstance(content, Remote) else content

    return replace(
        template,
        files=tuple(replace(file, content=fill(file.content)) for file in template.files),
        precommands=tuple(replace(script, content=fill(script.content)) for script in template.precommands),
        commands=tuple(replace(script, content=fill(script.content)) for script in template.commands),
    )


def fetched_in(template: Template, original: Template) -> dict[str, bytes]:
    """Returns the reverse of `filled`: what was fetched for `template`, which was parsed as `original`."""
    pairs = zip(_contents(original), _contents(template), strict=True)
    return {
        before.url: after.data for before, after in pairs if isinstance(before, Remote) and isinstance(after, Inline)
    }


def encode(fetched: Mapping[str, bytes]) -> dict[str, str]:
    """For JSON; a URL that holds a secret is not in it."""
    return {_name(url): base64.b64encode(data).decode() for url, data in fetched.items()}


def decode(encoded: Mapping[str, str], template: Template) -> dict[str, bytes]:
    """From JSON: what was fetched for `template`; KeyError for a URL that is missing."""
    names = {url: _name(url) if _name(url) in encoded else url for url in remotes(template)}
    return {url: base64.b64decode(encoded[name]) for url, name in names.items()}


def _name(url: str) -> str:
    return f"sha256:{sha256(url.encode()).hexdigest()}" if without_secrets(url) != url else url


def _contents(template: Template) -> Iterator[Content]:
    for file in template.files:
        yield file.content
    for script in (*template.precommands, *template.commands):
        yield script.content
