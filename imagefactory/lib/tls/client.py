"""How servers' certificates are verified: the host name is demanded, or one certificate and no other.

Twisted 26.4 and 26.10 only log it when a certificate has no subject alternative name, and accept it for any host: with
an authority of one's own, every certificate it ever signed would be good for every server. Here a handshake fails if
the name cannot be verified.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from OpenSSL.crypto import X509
from OpenSSL.SSL import VERIFY_FAIL_IF_NO_PEER_CERT, VERIFY_PEER, Connection
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from imagefactory.lib.errors import InvalidInput

Check = Callable[[X509, bool], bool]
"""Whether the server's own certificate is the right one; its second argument says whether its chain is trusted."""

_END = b"-----END CERTIFICATE-----"
_log = Logger()


@implementer(IPolicyForHTTPS)
class StrictPolicy:
    """Trusts the authorities in `pem` (empty: those of the system), or only the certificate with this SHA-256."""

    def __init__(self, pem: bytes = b"", fingerprint: str = "") -> None:
        self._trust = trustRootFromCertificates(_certificates(pem)) if pem else platformTrust()
        self._fingerprint = fingerprint.replace(":", "").lower()

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:  # noqa: ARG002, N802
        """See `IPolicyForHTTPS`."""
        name = hostname.decode("ascii").strip("[]")
        plain = optionsForClientTLS(name, trustRoot=self._trust)
        check = _pinned(self._fingerprint) if self._fingerprint else _named(name)
        return _Connections(plain, check, pinned=bool(self._fingerprint))


@implementer(IOpenSSLClientConnectionCreator)
class _Connections:
    """Twisted's connections with another verification of the certificate."""

    def __init__(self, plain: IOpenSSLClientConnectionCreator, check: Check, *, pinned: bool) -> None:
        self._plain = plain
        self._check = check
        self._pinned = pinned

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> Connection:  # noqa: N802
        """See `IOpenSSLClientConnectionCreator`."""
        connection: Connection = self._plain.clientConnectionForTLS(protocol)
        connection.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return connection

    def _verify(self, _: Connection, certificate: X509, __: int, depth: int, trusted: int) -> bool:
        """OpenSSL asks for each certificate of the chain; depth 0 is the server's own."""
        if depth:
            return self._pinned or bool(trusted)
        return self._check(certificate, bool(trusted))


def _pinned(fingerprint: str) -> Check:
    def check(certificate: X509, _: bool) -> bool:
        found = certificate.digest("sha256").decode().replace(":", "").lower()
        return hmac.compare_digest(found, fingerprint)

    return check


def _named(name: str) -> Check:
    verify = verify_certificate_ip_address if _is_address(name) else verify_certificate_hostname

    def check(certificate: X509, trusted: bool) -> bool:
        if not trusted:
            return False
        try:
            verify(certificate.to_cryptography(), name)
        except Exception as error:  # whatever it is: the name is not proved
            _log.warn("the certificate of {name} is not for it: {error}", name=name, error=error)
            return False
        return True

    return check


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def read_authorities(path: Path) -> bytes:
    """Returns a PEM file of certificates. Blocks; InvalidInput if it is none."""
    try:
        pem = path.read_bytes()
        if not _certificates(pem):
            raise ValueError("it has no certificate")
    except Exception as error:  # OpenSSL's errors have no common base with the rest
        raise InvalidInput(
            f"the authorities cannot be read: {error}", where=str(path), hint="warehouse_ca names a PEM file"
        ) from None
    return pem


def _certificates(pem: bytes) -> list[Certificate]:
    return [Certificate.loadPEM(part + _END) for part in pem.split(_END)[:-1]]
