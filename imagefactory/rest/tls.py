"""TLS of the daemon: a given identity, or one made here.

A made certificate is one that today's clients accept as their own trust anchor: EC P-256, names in the subject
alternative name (RFC 6125), not longer than 397 days (CA/Browser Forum baseline).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.ssl import CertificateOptions, TLSVersion

from imagefactory.files.durable import write_whole
from imagefactory.model.errors import InvalidInput
from imagefactory.rest.pem import Identity, read_identity

LIFETIME = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
KEPT = "rest.pem"
PUBLISHED = "rest.crt"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the daemon listens with: options for `wrapServerTLS`, and what to log."""

    options: CertificateOptions
    fingerprint: str
    expires: datetime
    warnings: tuple[str, ...] = ()


def choose(*, ssl_pem: str, keep_in: Path | None, names: Iterable[str], now: datetime) -> Chosen:
    """The identity of the settings: the file `ssl_pem`; else one kept in the directory `keep_in`; else a new one.

    Reads and writes files: for the start, not for the reactor's thread later. Raises InvalidInput.
    """
    if ssl_pem:
        return chosen(load(Path(ssl_pem), now))
    if keep_in is None:
        return chosen(make(names, now))
    identity = kept(keep_in / KEPT, names, now)
    publish(keep_in / PUBLISHED, identity)
    return chosen(identity)


def chosen(identity: Identity) -> Chosen:
    """An identity ready to listen with."""
    return Chosen(options(identity), fingerprint(identity), identity.leaf.not_valid_after_utc, identity.warnings)


def load(path: Path, now: datetime) -> Identity:
    """Key and chain of a PEM file; InvalidInput says what is wrong with it, and where."""
    try:
        return read_identity(path.read_bytes(), now, str(path))
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(path), hint="see --ssl_pem") from error


def kept(path: Path, names: Iterable[str], now: datetime) -> Identity:
    """The certificate of the last start while it is good for these names and a month, else a new one in its place."""
    wanted = set(names)
    try:
        identity = read_identity(path.read_bytes(), now, str(path))
        if wanted <= names_in(identity.leaf) and identity.leaf.not_valid_after_utc - now > RENEW_BEFORE:
            return identity
    except (OSError, InvalidInput):
        pass  # absent, expired or damaged: it is ours to replace
    identity = make(wanted, now)
    _write(path, identity.pem(), 0o600)
    return identity


def publish(path: Path, identity: Identity) -> None:
    """The certificate alone, without its key, for clients that shall trust it and nothing else."""
    if not path.exists() or path.read_bytes() != identity.certificate_pem():
        _write(path, identity.certificate_pem(), 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        write_whole(path, data, mode)
    except OSError as error:
        hint = "give a state directory that can be written (state_dir)"
        raise InvalidInput(f"cannot be written: {error.strerror}", where=str(path), hint=hint) from error


def make(names: Iterable[str], now: datetime) -> Identity:
    """A new key and its certificate for these host names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Image Factory")])
    usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True}
    builder = (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now - timedelta(hours=1) + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(set(names))]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return Identity(key, (builder.sign(key, hashes.SHA256()),))


def options(identity: Identity) -> CertificateOptions:
    """For `twisted.internet.endpoints.wrapServerTLS`: TLS 1.2 or newer, with the whole chain."""
    return CertificateOptions(  # pyOpenSSL wants cryptography's objects by now, its own are deprecated
        privateKey=cast(Any, identity.key),
        certificate=cast(Any, identity.leaf),
        extraCertChain=cast(Any, identity.chain[1:]),
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )


def fingerprint(identity: Identity) -> str:
    """SHA-256 over the leaf, as openssl and browsers write it."""
    return identity.leaf.fingerprint(hashes.SHA256()).hex(":").upper()


def names_in(certificate: x509.Certificate) -> set[str]:
    """Host names and addresses that a certificate is good for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *(str(address) for address in addresses)}


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode())
    except (ValueError, UnicodeError) as error:
        raise InvalidInput(f"{name!r} is no host name and no address", where="ssl_names") from error


def today() -> datetime:
    """Now, as the functions above want it."""
    return datetime.now(UTC)
