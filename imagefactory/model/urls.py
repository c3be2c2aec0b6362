"""URLs that are spelt differently and mean the same."""

from __future__ import annotations

from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443, "ftp": 21}


def canonical(url: str) -> str:
    """`url` with scheme and host in lower case and without the scheme's own port (RFC 3986, sections 6.2.2.1 and
    6.2.3); the rest, and what is no URL with a host, stays as it is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    if not parts.hostname:
        return url
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    tail = "" if port in {None, PORTS.get(parts.scheme)} else f":{port}"
    return f"{parts.scheme}://{user}{at}{host}{tail}{url[url.index(parts.netloc) + len(parts.netloc) :]}"
