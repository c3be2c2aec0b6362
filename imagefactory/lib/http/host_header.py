"""The name in a Host header, and which names lead to this host whatever a name server says."""

from __future__ import annotations

import re
from ipaddress import ip_address

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


def name_in(host: str) -> str | None:
    """Returns the host name or address in the value of a Host header, in lower case and without port, brackets and the
    dot of the root; None if there is none."""
    match = _NAMED.fullmatch(host)
    return match and match["name"].strip("[]").rstrip(".").lower()


def is_loopback(name: str) -> bool:
    """Whether a host name or an address is this host's own, as `localhost` or `127.0.0.1`.

    Names below `localhost` count (RFC 6761, 6.3): programs do not ask a name server for them.
    """
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
