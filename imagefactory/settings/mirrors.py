"""The setting `mirrors`: the form of its entries, and the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from imagefactory.lib.secret import without_secrets
from imagefactory.model.reading import quoted
from imagefactory.model.urls import canonical

APT = "apt:"
"""A value that means the mirror of this host's own package sources."""

EXAMPLES = {"http://mirror.example/debian": APT, "http://mirror.example/ubuntu": APT}
"""The mirrors that the shipped examples name; `.example` is reserved (RFC 2606), so no real mirror is shadowed."""


def entry(prefix: str, place: str) -> tuple[str, str]:
    """Check one entry and return it with its URLs in canonical form.

    Raises:
        ValueError: says what is wrong with it; URLs are quoted without passwords.
    """
    if not _is_url(prefix, "http", "https", "ftp", "file"):
        raise ValueError(
            f"{quoted(without_secrets(prefix))} is no beginning of a URL like http://mirror.example/debian"
        )
    if place != APT and not _is_url(place, "http", "https"):
        raise ValueError(
            f"{quoted(without_secrets(place))} (for {quoted(without_secrets(prefix))}) is neither {APT} nor an"
            " http(s) URL"
        )
    return canonical(prefix).rstrip("/"), place if place == APT else canonical(place).rstrip("/")


def with_examples(own: Mapping[str, str]) -> dict[str, str]:
    """Returns the user's entries, and the built-in ones that no entry of the user covers."""
    return {prefix: place for prefix, place in EXAMPLES.items() if not _covered(prefix, own)} | dict(own)


def _covered(prefix: str, own: Mapping[str, str]) -> bool:
    return any(f"{prefix}/".startswith(f"{one.rstrip('/')}/") for one in own)


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    bare = text.isprintable() and " " not in text
    return bare and parts.scheme.lower() in schemes and bool(parts.hostname or parts.scheme.lower() == "file")
