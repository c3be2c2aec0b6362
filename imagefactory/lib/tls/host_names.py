"""Under which names and addresses this host may be called: for the certificate that is made."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from imagefactory.lib.errors import InvalidInput

_PROBES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # RFC 5737, RFC 3849: nobody is there
_LONGEST = 253  # RFC 1035, 2.3.4
HOSTS = Path("/etc/hosts")

Names = frozenset[x509.GeneralName]


@dataclass(frozen=True, slots=True)
class HostNames:
    """Names that the settings ask for, and those that this host has by itself, which may change under it."""

    asked: tuple[str, ...]
    own: tuple[str, ...] = ()


def host_names(address: str, more: Iterable[str] = ()) -> HostNames:
    """Asked for: the address listened on, and `more`.

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
    """A host name or an address in the one spelling that it has in a certificate.

    Raises InvalidInput.
    """
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
    """Those that a certificate can have, and what is to be said of the others: a host may be called as it likes."""
    good, warnings = set(), []
    for name in names:
        try:
            good.add(general_name(name))
        except InvalidInput:
            warnings.append(f"this host's name {name!r} cannot be in a certificate: name another with ssl_names")
    return frozenset(good), tuple(warnings)


def names_in(certificate: x509.Certificate) -> Names:
    """Host names and addresses that a certificate is good for."""
    try:
        return frozenset(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return frozenset()


def written(names: Iterable[x509.GeneralName]) -> str:
    """For people, in order."""
    return ", ".join(sorted(str(name.value) for name in names))


def _called(hostname: str, hosts: Path) -> set[str]:
    """The host's name, and what the file of hosts calls it more fully."""
    try:
        lines = hosts.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    known = (word for line in lines for word in line.partition("#")[0].split()[1:])
    return {hostname, *(word for word in known if word.startswith(f"{hostname}."))}


def _outward(family: socket.AddressFamily, probe: str) -> str:
    """The address that a packet to `probe` would come from; empty if there is no way."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as plug:
            plug.connect((probe, 9))
            return str(plug.getsockname()[0]).partition("%")[0]
    except OSError:
        return ""
