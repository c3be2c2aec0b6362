"""TLS of the daemon: a given identity, or one made here.

A made certificate is one that today's clients accept as their own trust anchor: EC P-256, names in the subject
alternative name (RFC 6125), not longer than 397 days (CA/Browser Forum baseline).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as Key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.ssl import CertificateOptions, TLSVersion

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.files.durable import write_whole
from imagefactory.lib.tls.host_names import HostNames, Names, general_name, names_in, usable, written
from imagefactory.lib.tls.pem import Identity, read_identity

LIFETIME = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
KEPT = "rest.pem"
PUBLISHED = "rest.crt"
_NONE: Names = frozenset()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a daemon listens with, and what to log about it."""

    options: CertificateOptions
    fingerprint: str
    expires: datetime
    warnings: tuple[str, ...] = ()


def choose(*, ssl_pem: str, keep_in: Path | None, names: HostNames, now: datetime) -> Chosen:
    """Returns the identity of the settings: the file `ssl_pem`, else one kept in the directory `keep_in`, or a new one.

    Blocks: reads and writes files.

    Raises:
        InvalidInput: the file cannot be used, or the directory cannot be written.
    """
    if ssl_pem:
        return chosen(load(Path(ssl_pem), now))
    own, warnings = usable(names.own)
    if keep_in is None:
        return chosen(make([*names.asked], now, own=own), *warnings)
    identity = kept(keep_in / KEPT, names.asked, now, own=own)
    publish(keep_in / PUBLISHED, identity)
    return chosen(identity, *warnings)


def chosen(identity: Identity, *warnings: str) -> Chosen:
    """Returns an identity with its options and warnings."""
    expires = identity.leaf.not_valid_after_utc
    return Chosen(options(identity), fingerprint(identity), expires, (*identity.warnings, *warnings))


def load(path: Path, now: datetime) -> Identity:
    """Returns key and chain of a PEM file. Blocks; InvalidInput says what is wrong with it."""
    try:
        return read_identity(path.read_bytes(), now, str(path))
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(path), hint="see --ssl_pem") from error


def kept(path: Path, names: Iterable[str], now: datetime, *, own: Names = _NONE) -> Identity:
    """Returns the certificate of the last start while it is good for these names and a month, else a new one.

    Clients may have pinned it. So the host's `own` names, which change with its addresses, make no new one by
    themselves; a new one has the old key; and a warning tells why there is one, and what it was before.
    """
    wanted = list(names)
    old, reason = _kept(path, now, frozenset(map(general_name, wanted)))
    if old is not None and not reason:
        missing = own - names_in(old.leaf)
        words = f"the kept certificate is not for {written(missing)}: clients that use that need it in ssl_names"
        return replace(old, warnings=(*old.warnings, *([words] if missing else [])))
    new = make(wanted, now, own=own, key=old.key if old else None)
    _write(path, new.pem(), 0o600)
    if not reason:
        return new
    was = f"SHA-256 {fingerprint(old)}" if old else "of another key"
    return replace(new, warnings=(f"a new certificate was made, {reason}: SHA-256 {fingerprint(new)}; it was {was}",))


def _kept(path: Path, now: datetime, wanted: Names) -> tuple[Identity | None, str]:
    """Returns what is kept, and why it cannot be used any more; neither at the first start."""
    try:
        identity = read_identity(path.read_bytes(), now, str(path))
    except FileNotFoundError:
        return None, ""
    except (OSError, InvalidInput) as error:  # expired or damaged: it is ours to replace
        return None, f"because the kept one cannot be used ({error})"
    if missing := wanted - names_in(identity.leaf):
        return identity, f"because the kept one is not for {written(missing)}"
    if identity.leaf.not_valid_after_utc - now <= RENEW_BEFORE:
        return identity, "because the kept one was near its end"
    return identity, ""


def publish(path: Path, identity: Identity) -> None:
    """Write the certificate without its key, for clients that trust it and nothing else."""
    if not path.exists() or path.read_bytes() != identity.certificate_pem():
        _write(path, identity.certificate_pem(), 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        write_whole(path, data, mode)
    except OSError as error:
        hint = "give a state directory that can be written (state_dir)"
        raise InvalidInput(f"cannot be written: {error.strerror}", where=str(path), hint=hint) from error


def make(names: Iterable[str], now: datetime, *, own: Names = _NONE, key: Key | None = None) -> Identity:
    """Returns a certificate for these host names and addresses, with a new key unless one is given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    everything = {general_name(name) for name in names} | own
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Image Factory")])
    usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True}
    builder = (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now - timedelta(hours=1) + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(sorted(everything, key=str)), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return Identity(key, (builder.sign(key, hashes.SHA256()),))


def options(identity: Identity) -> CertificateOptions:
    """Returns options for a listener: TLS 1.2 or newer, with the whole chain."""
    return CertificateOptions(  # pyOpenSSL wants cryptography's objects by now, its own are deprecated
        privateKey=cast(Any, identity.key),
        certificate=cast(Any, identity.leaf),
        extraCertChain=cast(Any, identity.chain[1:]),
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )


def fingerprint(identity: Identity) -> str:
    """Returns the SHA-256 of the leaf, as openssl and browsers write it."""
    return identity.leaf.fingerprint(hashes.SHA256()).hex(":").upper()


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


def today() -> datetime:
    """Returns the time, for the functions above."""
    return datetime.now(UTC)
