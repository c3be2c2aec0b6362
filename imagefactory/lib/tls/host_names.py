"""The names and addresses of this host, for the certificate that is made."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from imagefactory.lib.errors import InvalidInput

_PROBES = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)  # RFC 5737, RFC 3849: reserved, no packet is sent
_LONGEST = 253  # RFC 1035, 2.3.4
HOSTS = Path("/etc/hosts")

Names = frozenset[x509.GeneralName]


@dataclass(frozen=True, slots=True)
class HostNames:
    """Names that the settings ask for, and those that this host has by itself, which may change."""

    asked: tuple[str, ...]
    own: tuple[str, ...] = ()


def host_names(address: str, more: Iterable[str] = ()) -> HostNames:
    """Returns the host's names; asked for are the address listened on, and `more`.

    The host's own: its name (with its domain, as /etc/hosts has it), loopback, and for a wildcard the addresses that
    lead outwards. Asks the kernel's routing table only: no packet leaves, no name server is asked.
    """
    own = {"localhost", "127.0.0.1", "::1", *_called(socket.gethostname(), HOSTS)}
    asked = set(more)
    if address in {"", "0.0.0.0", "::"}:  # noqa: S104
        own.update(_outward(family, probe) for family, probe in _PROBES)
    else:
        asked.add(address)
    return HostNames(*(tuple(sorted(filter(None, names))) for names in (asked, own - asked)))


def general_name(name: str) -> x509.GeneralName:
    """Returns a host name or an address as a certificate has it; InvalidInput if it cannot have it."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        plain = name.rstrip(".").lower().encode("idna").decode()
        if not 0 < len(plain) <= _LONGEST:
            raise ValueError
        return x509.DNSName(plain)
    except (ValueError, UnicodeError) as error:
        raise InvalidInput(f"{name!r} is no host name and no address", where="ssl_names") from error


def usable(names: Iterable[str]) -> tuple[Names, tuple[str, ...]]:
    """Returns the names that a certificate can have, and warnings about the others."""
    good, warnings = set(), []
    for name in names:
        try:
            good.add(general_name(name))
        except InvalidInput:
            warnings.append(f"this host's name {name!r} cannot be in a certificate: name another with ssl_names")
    return frozenset(good), tuple(warnings)


def names_in(certificate: x509.Certificate) -> Names:
    """Returns host names and addresses that a certificate is good for."""
    try:
        return frozenset(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return frozenset()


def written(names: Iterable[x509.GeneralName]) -> str:
    """Returns the names as text, in order."""
    return ", ".join(sorted(str(name.value) for name in names))


def _called(hostname: str, hosts: Path) -> set[str]:
    """Returns the host's name, and longer ones of it in the file of hosts."""
    try:
        lines = hosts.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    known = (word for line in lines for word in line.partition("#")[0].split()[1:])
    return {hostname, *(word for word in known if word.startswith(f"{hostname}."))}


def _outward(family: socket.AddressFamily, probe: str) -> str:
    """Returns the address that a packet to `probe` would come from; empty if there is no route."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as plug:
            plug.connect((probe, 9))
            return str(plug.getsockname()[0]).partition("%")[0]
    except OSError:
        return ""
