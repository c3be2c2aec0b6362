"""Reads a private key with its certificate chain from PEM text; each thing that can be wrong has its own message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from imagefactory.lib.errors import InvalidInput

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A key and the certificates that lead from it (the leaf first) towards an authority.

    `warnings` are for the log: what some clients will refuse.
    """

    key: CertificateIssuerPrivateKeyTypes
    chain: tuple[x509.Certificate, ...]
    warnings: tuple[str, ...] = ()

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.chain[0]

    def key_pem(self) -> bytes:
        """The key, not encrypted."""
        return self.key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def pem(self) -> bytes:
        """All of it, as it is kept in a file."""
        return self.key_pem() + self.certificate_pem()

    def certificate_pem(self) -> bytes:
        """The certificates without the key."""
        return b"".join(each.public_bytes(_PEM) for each in self.chain)


def read_identity(pem: bytes, now: datetime, where: str) -> Identity:
    """Returns the identity in a PEM text, which has key and certificates in any order.

    Raises:
        InvalidInput: no or an encrypted key, no certificate, none that fits the key, not valid at `now`, a chain whose
            certificates did not sign each other.
    """
    key = _key(pem, where)
    certificates = _certificates(pem, where)
    leaf = next((each for each in certificates if each.public_key() == key.public_key()), None)
    if leaf is None:
        raise InvalidInput(
            "the private key does not belong to any of the certificates", where=where, hint="use the key of the leaf"
        )
    if now > leaf.not_valid_after_utc:
        raise InvalidInput(f"the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}", where=where)
    if now < leaf.not_valid_before_utc:
        raise InvalidInput(
            f"the certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            where=where,
            hint="is the clock right?",
        )
    chain = _chain(leaf, certificates, where)
    return Identity(key, chain, _warnings(chain))


def _key(pem: bytes, where: str) -> CertificateIssuerPrivateKeyTypes:
    if b"PRIVATE KEY-----" not in pem:
        raise InvalidInput("there is no private key in the file", where=where, hint="it must hold key and chain")
    try:
        key = serialization.load_pem_private_key(pem[_key_start(pem) :], None)
    except TypeError as error:
        hint = "decrypt it: openssl pkey -in FILE"
        raise InvalidInput("the private key is encrypted", where=where, hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput("the private key is damaged or of an unknown kind", where=where) from error
    return cast(CertificateIssuerPrivateKeyTypes, key)


def _key_start(pem: bytes) -> int:
    return pem.rindex(b"-----BEGIN ", 0, pem.index(b"PRIVATE KEY-----"))


def _certificates(pem: bytes, where: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        reason = "a certificate is damaged" if b"BEGIN CERTIFICATE" in pem else "there is no certificate in the file"
        raise InvalidInput(reason, where=where, hint="the file must hold key and chain") from error


def _chain(leaf: x509.Certificate, certificates: list[x509.Certificate], where: str) -> tuple[x509.Certificate, ...]:
    """Returns the chain from the leaf upwards as far as the file has it, without other certificates."""
    chain = [leaf]
    others = [each for each in certificates if each != leaf]
    while issuer := next((each for each in others if each.subject == chain[-1].issuer), None):
        try:
            chain[-1].verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            subject = issuer.subject.rfc4514_string()
            raise InvalidInput(f"{subject} did not sign the certificate below it", where=where) from error
        chain.append(issuer)
        others.remove(issuer)
    if others:
        raise InvalidInput(
            f"the chain is broken: nothing leads from the certificate to {others[0].subject.rfc4514_string()}",
            where=where,
            hint="an intermediate certificate is missing",
        )
    return tuple(chain)


def _warnings(chain: tuple[x509.Certificate, ...]) -> tuple[str, ...]:
    top, leaf = chain[-1], chain[0]
    warnings = []
    if len(chain) == 1 and top.issuer != top.subject:
        warnings.append(
            f"the file holds no chain: clients must know {top.issuer.rfc4514_string()}, which issued the certificate"
        )
    try:
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        warnings.append("the certificate has no subject alternative name: today's clients refuse it")
    return tuple(warnings)
