"""Which addresses a daemon may fetch from when a user chose the URL.

A user could otherwise make it send requests to hosts that only the daemon can reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
"""Addresses of this network stand for the IPv4 address in their last four bytes (RFC 6052)."""
_PUBLIC = ip_network("2000::/3")
"""All that is given out for public use so far (RFC 4291, IANA's registry); all else that is routed is special."""
_SPECIAL = (ip_network("3fff::/20"),)
"""Inside of it, and younger than Python's list: documentation (RFC 9637)."""
_ISATAP = {bytes.fromhex("00005efe"), bytes.fromhex("02005efe")}
"""Bytes 8 to 12 of an address whose last four are an IPv4 address (ISATAP, RFC 5214)."""


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks as the setting writes them; ValueError for what is none."""
    return tuple(ip_network(text, strict=False) for text in texts)


def only(text: str) -> Network:
    """Returns the smallest network with the address `text`, as a setting would name it."""
    return ip_network(_meant(ip_address(text.partition("%")[0])))


def permitted(text: str, allowed: Sequence[Network]) -> bool:
    """Whether `text` is a public address, or in one of the `allowed` networks."""
    itself = ip_address(text.partition("%")[0])
    address = _meant(itself)
    if any(address in network or itself in network for network in allowed):
        return True
    return _is_public(address)


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return True
    within = address.packed[8:12] in _ISATAP and not _is_public(IPv4Address(address.packed[12:]))
    return address in _PUBLIC and not within and not any(address in network for network in _SPECIAL)


def literal(host: str) -> str | None:
    """The address, if `host` is one (a URL's brackets around it are accepted); None for a name."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return None


def _meant(address: Address) -> Address:
    """The IPv4 address that some IPv6 addresses only wrap."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(address.packed[-4:])
        return address.ipv4_mapped or address.sixtofour or address
    return address
