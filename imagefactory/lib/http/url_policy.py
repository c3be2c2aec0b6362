"""Parses and checks URLs that users of the daemon wrote, for fetching."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit, urlunsplit

from imagefactory.lib.errors import Forbidden, InvalidInput
from imagefactory.lib.http.address_policy import literal
from imagefactory.lib.secret import without_secrets

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?")


@dataclass(frozen=True, slots=True)
class ParsedUrl:
    """What is fetched; `authorization` is made of user and password in the URL (RFC 7617), or empty."""

    url: bytes = field(repr=False)
    authorization: str = field(repr=False)


def parse_url(url: str, schemes: Sequence[str]) -> ParsedUrl:
    """Returns what to fetch for `url`; user and password are taken out of it, so that no message shows them.

    Raises:
        InvalidInput: it is no URL.
        Forbidden: it has another scheme.
    """
    shown = without_secrets(url)
    try:
        if not url.isascii() or any(letter <= " " or letter == "\x7f" for letter in url):
            raise ValueError("its special characters have to be escaped")
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise InvalidInput(f"{shown} is no URL: {without_secrets(str(error))}") from None
    if parts.scheme.lower() not in schemes or not host:
        raise Forbidden(f"only {' and '.join(schemes)} URLs are fetched, not {shown}")
    if not _NAME.fullmatch(host) and literal(host) is None:
        raise InvalidInput(f"{shown} is no URL: its host is neither a name nor an address")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    bare = urlunsplit((parts.scheme.lower(), netloc, parts.path or "/", parts.query, ""))
    return ParsedUrl(bare.encode(), _authorization(parts.netloc))


def _authorization(netloc: str) -> str:
    user, at, _ = netloc.rpartition("@")
    return "Basic " + base64.b64encode(unquote_to_bytes(user)).decode() if at else ""
