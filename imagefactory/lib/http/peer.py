"""The address of a client, as sockets tell it."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from imagefactory.lib.http.address_policy import Address


def peer_address(peer: object) -> Address | None:
    """Returns the IP address of the other side of a connection.

    A socket for both protocols tells an IPv4 address in the form of IPv6 (`::ffff:192.0.2.1`): that one is taken out.

    Args:
        peer: what `getPeer()` returns (IAddress).

    Returns:
        None for a socket of this host that has no address (AF_UNIX), and for no peer at all.
    """
    try:
        address = ip_address(str(getattr(peer, "host", "")).partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
