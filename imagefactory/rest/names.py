"""Under which names and addresses this host may be called: for the certificate that is made."""

from __future__ import annotations

import socket
from collections.abc import Iterable

_PROBES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # RFC 5737, RFC 3849: nobody is there


def host_names(address: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """The host's name, loopback, the address listened on (for a wildcard: those that lead outwards), and `more`.

    Asks the kernel's routing table only: no packet leaves, no name server is asked.
    """
    names = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *more}
    if address in {"", "0.0.0.0", "::"}:  # noqa: S104
        names.update(filter(None, (_outward(family, probe) for family, probe in _PROBES)))
    else:
        names.add(address)
    return tuple(sorted(name for name in names if name))


def _outward(family: socket.AddressFamily, probe: str) -> str:
    """The address that a packet to `probe` would come from; empty if there is no way."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as plug:
            plug.connect((probe, 9))
            return str(plug.getsockname()[0]).partition("%")[0]
    except OSError:
        return ""
