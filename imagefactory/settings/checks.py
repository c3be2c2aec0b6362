"""Checks of single settings; each raises ValueError that says what is allowed."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

LARGEST_UMASK = 0o777


def network(text: str) -> None:
    """An address, or a network in CIDR form."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is no address or network like 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32") from None


def listening(text: str) -> None:
    """An address to listen on; names are not looked up."""
    try:
        if text != "localhost":
            ip_address(text)
    except ValueError:
        raise ValueError("is no address of this host like 0.0.0.0, 127.0.0.1, :: or localhost") from None


def word(text: str) -> None:
    """A name in one word, given by another system."""
    if not text.isprintable() or not text or " " in text:
        raise ValueError("is no name: one word is needed")


def octal(text: str) -> None:
    """A umask."""
    if not (text and set(text) <= set("01234567") and int(text, 8) <= LARGEST_UMASK):
        raise ValueError("is no umask: octal digits like 022 are needed")


def web_url(text: str) -> None:
    """The URL of a server, or nothing."""
    if not text:
        return
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port
        good = False
    if not good:
        raise ValueError("is no URL like http://host:port/")


def scheme(text: str) -> None:
    """A URL scheme that can be fetched."""
    if text not in {"http", "https"}:
        raise ValueError("is none of http, https")


def bucket(text: str) -> None:
    """The name of a bucket."""
    if not 1 <= len(text) <= 63 or "/" in text or text.startswith("_"):
        raise ValueError("is no name of a bucket: 1 to 63 characters without '/', not starting with '_'")


def fingerprint(text: str) -> None:
    """A SHA-256 digest in hex, with or without colons, or nothing."""
    digits = text.replace(":", "").lower()
    if text and (len(digits) != 64 or set(digits) - set("0123456789abcdef")):
        raise ValueError("is no SHA-256 fingerprint: 64 hex digits are needed, with or without colons")
