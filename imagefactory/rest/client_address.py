"""The address of a request as its client wrote it, from which links and signatures are made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from twisted.web.http import Request

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.http.peer import peer_address

_HOST = re.compile(rb"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class ClientAddress:
    """Finds scheme and host of a request.

    Args:
        trusted_proxies: addresses or networks from which `X-Forwarded-Proto` and `X-Forwarded-Host` count; of a list in
            these the first entry counts, which is what the client sent to the outermost proxy.

    Raises:
        InvalidInput: one of them is neither an address nor a network.
    """

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self._proxies = [_network(text) for text in trusted_proxies]

    def base(self, request: Request) -> str:
        """Returns scheme, host and (unless it is the default) port: `https://factory.example:8075`."""
        scheme = b"https" if request.isSecure() else b"http"
        if self._proxies and self._trusted(request):
            scheme = _first(request.getHeader(b"x-forwarded-proto"), {b"http", b"https"}) or scheme
        host = self.host(request)
        if host is None or not _HOST.fullmatch(host):
            host = _own(request)
        return f"{scheme.decode()}://{host.decode()}"

    def host(self, request: Request) -> bytes | None:
        """Returns host and port as the client wrote them, whatever that is; None if it wrote none."""
        host: bytes | None = request.getHeader(b"host")
        if self._proxies and self._trusted(request):
            return _first(request.getHeader(b"x-forwarded-host")) or host
        return host

    def _trusted(self, request: Request) -> bool:
        client = peer_address(request.getClientAddress())
        return any(client in network for network in self._proxies if client is not None)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no address and no network", where="trusted_proxies") from error


def _first(header: bytes | None, allowed: set[bytes] | None = None) -> bytes | None:
    value = header.partition(b",")[0].strip() if header else b""
    return value if value and (allowed is None or value in allowed) else None


def _own(request: Request) -> bytes:
    """Returns the address that the client connected to, for a request without a usable host."""
    host = request.getHost()
    name, port = getattr(host, "host", "localhost"), getattr(host, "port", 0)
    name = f"[{name}]" if ":" in name else name
    default = 443 if request.isSecure() else 80
    return (f"{name}:{port}" if port not in {0, default} else name).encode()
