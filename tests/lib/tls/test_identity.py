"""Identities: given, kept, made."""

import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.tls import host_names as names_room
from imagefactory.lib.tls.host_names import HostNames, general_name, host_names, names_in, usable
from imagefactory.lib.tls.identity import choose, fingerprint, kept, load, make, options
from imagefactory.lib.tls.pem import Identity, read_identity

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PEM = serialization.Encoding.PEM


def authority(
    name: str, signer: tuple[ec.EllipticCurvePrivateKey, str] | None = None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A key and a certificate, signed by itself or by another."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key, issuer = signer or (key, name)
    subject, issued = (x509.Name.from_rfc4514_string(f"CN={each}") for each in (name, issuer))
    builder = x509.CertificateBuilder(issued, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=9))
    return key, builder.sign(issuer_key, hashes.SHA256())


def private(key: ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    """PEM of a key."""
    secret = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, secret)


def raw(fingerprint: str) -> bytes:
    """The digest that a fingerprint writes."""
    return bytes.fromhex(fingerprint.replace(":", ""))


class MadeTests(SynchronousTestCase):
    """Certificates made here."""

    def test_it_has_what_clients_want(self) -> None:
        """Names and addresses, EC P-256, at most 397 days, no authority, a fingerprint; and no warning from OpenSSL."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            identity = make(["factory.example", "127.0.0.1", "::1"], NOW)
            options(identity).getContext()
        leaf = identity.leaf
        self.assertEqual(names_in(leaf), {general_name(name) for name in ("factory.example", "127.0.0.1", "::1")})
        self.assertLessEqual(leaf.not_valid_after_utc - leaf.not_valid_before_utc, timedelta(days=397))
        self.assertFalse(leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertRegex(fingerprint(identity), "^([0-9A-F]{2}:){31}[0-9A-F]{2}$")

    def test_old_tls_is_not_spoken(self) -> None:
        """TLS 1.2 is the least."""
        from OpenSSL.SSL import OP_NO_TLSv1, OP_NO_TLSv1_1

        context = options(make(["localhost"], NOW)).getContext()
        self.assertEqual(context.set_options(0) & (OP_NO_TLSv1 | OP_NO_TLSv1_1), OP_NO_TLSv1 | OP_NO_TLSv1_1)

    def test_kept_until_it_is_old_or_named_otherwise(self) -> None:
        """The same over restarts; a new one a month before the end, for new names, or if the file is damaged."""
        path = Path(self.mktemp()) / "rest.pem"
        first = kept(path, ["a.example"], NOW)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(kept(path, ["a.example"], NOW + timedelta(days=300)).leaf, first.leaf)
        self.assertNotEqual(kept(path, ["a.example"], NOW + timedelta(days=370)).leaf, first.leaf)
        other = Path(self.mktemp()) / "rest.pem"
        kept(other, ["a.example"], NOW)
        self.assertIn(general_name("b.example"), names_in(kept(other, ["a.example", "b.example"], NOW).leaf))
        path.write_bytes(b"rubbish")
        self.assertEqual(kept(path, ["a.example"], NOW).leaf, read_identity(path.read_bytes(), NOW, "").leaf)
        self.assertEqual(list(path.parent.iterdir()), [path])

    def test_spellings_of_a_name(self) -> None:
        """Letters beyond ASCII, capitals, a dot at the end, long forms of an address: the same name, the same file."""
        path = Path(self.mktemp()) / "rest.pem"
        names = ["bücher.example", "FD00::0002", "Factory.Example."]
        first = kept(path, names, NOW)
        for again in (names, ["xn--bcher-kva.example", "fd00::2", "factory.example"]):
            self.assertEqual((kept(path, again, NOW).leaf, kept(path, again, NOW).warnings), (first.leaf, ()))

    def test_an_address_of_the_host_that_changed(self) -> None:
        """Clients that pinned the certificate go on; the log says what it lacks."""
        path = Path(self.mktemp()) / "rest.pem"
        before, _ = usable(["box", "192.0.2.1"])
        after, _ = usable(["box", "192.0.2.2"])
        first = kept(path, ["a.example"], NOW, own=before)
        second = kept(path, ["a.example"], NOW, own=after)
        self.assertEqual(second.leaf, first.leaf)
        self.assertIn("not for 192.0.2.2", second.warnings[0])

    def test_a_new_one_says_why(self) -> None:
        """With the key of the old one, and both fingerprints."""
        path = Path(self.mktemp()) / "rest.pem"
        first = kept(path, ["a.example"], NOW)
        self.assertEqual(first.warnings, ())
        second = kept(path, ["a.example", "b.example"], NOW)
        self.assertEqual(second.key_pem(), first.key_pem())
        for words in ("not for b.example", fingerprint(first), fingerprint(second)):
            self.assertIn(words, second.warnings[0])
        self.assertIn("near its end", kept(path, ["a.example"], NOW + timedelta(days=370)).warnings[0])
        self.assertIn("expired", kept(path, ["a.example"], NOW + timedelta(days=800)).warnings[0])

    def test_clients_get_the_certificate_alone(self) -> None:
        """Beside the kept file, for everybody to read, without the key; made again when it is lost or another's."""
        state = Path(self.mktemp())

        def start(*names: str) -> str:
            return choose(ssl_pem="", keep_in=state, names=HostNames(names), now=NOW).fingerprint

        first = start("a.example")
        path = state / "rest.crt"
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)
        self.assertNotIn(b"PRIVATE", path.read_bytes())
        self.assertEqual(x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()), raw(first))
        path.unlink()
        self.assertEqual((start("a.example"), path.exists()), (first, True))
        second = start("a.example", "b.example")
        self.assertEqual(x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()), raw(second))

    def test_a_state_directory_that_cannot_be_written(self) -> None:
        """Told with the setting."""
        place = Path(self.mktemp())
        place.write_text("a file")
        error = self.assertRaises(
            InvalidInput, choose, ssl_pem="", keep_in=place, names=HostNames(("a.example",)), now=NOW
        )
        self.assertIn("state_dir", error.hint)

    def test_a_name_that_is_none(self) -> None:
        """Told with the setting."""
        self.assertIn("ssl_names", str(self.assertRaises(InvalidInput, make, ["bad..name"], NOW)))

    def test_without_a_setting_each_start_makes_one(self) -> None:
        """Nothing is written."""
        one, two = (choose(ssl_pem="", keep_in=None, names=HostNames(("localhost",)), now=NOW) for _ in range(2))
        self.assertNotEqual(one.fingerprint, two.fingerprint)

    def test_host_names(self) -> None:
        """Loopback always; a wildcard is no name; a given address is."""
        everywhere = host_names("0.0.0.0")
        self.assertLessEqual({"localhost", "127.0.0.1", "::1"}, set(everywhere.own))
        self.assertNotIn("0.0.0.0", (*everywhere.own, *everywhere.asked))
        self.assertEqual(host_names("192.0.2.9", ["x.example"]).asked, ("192.0.2.9", "x.example"))

    def test_the_name_with_its_domain(self) -> None:
        """As the file of hosts has it, without asking a name server; without the file there is the bare name."""
        hosts = Path(self.mktemp())
        self.patch(names_room, "HOSTS", hosts)
        self.patch(names_room.socket, "gethostname", lambda: "box")
        self.assertIn("box", host_names("0.0.0.0").own)
        hosts.write_text("127.0.1.1\tbox.lab.example box # box.not.example\n10.0.0.1 boxer.lab.example\n")
        own = host_names("0.0.0.0").own
        self.assertIn("box.lab.example", own)
        self.assertFalse({"box.not.example", "boxer.lab.example"} & set(own))

    def test_a_host_name_that_no_certificate_can_have(self) -> None:
        """The kernel takes 64 letters, the name system 63: the daemon starts, and says so."""
        names = HostNames((), ("x" * 64, "localhost"))
        found = choose(ssl_pem="", keep_in=None, names=names, now=NOW)
        self.assertIn("xxx", found.warnings[0])
        self.assertIn("ssl_names", found.warnings[0])


class GivenTests(SynchronousTestCase):
    """PEM files of the administrator."""

    def refused(self, pem: bytes, reason: str, now: datetime = NOW) -> None:
        """It is refused with that reason, and the place."""
        error = self.assertRaises(InvalidInput, read_identity, pem, now, "/x.pem")
        self.assertIn(reason, str(error))
        self.assertEqual(error.where, "/x.pem")

    def test_key_and_chain_in_any_order(self) -> None:
        """Root left in, chain ordered from the leaf upwards."""
        root_key, root = authority("root")
        middle_key, middle = authority("middle", (root_key, "root"))
        key, leaf = authority("leaf", (middle_key, "middle"))
        pem = root.public_bytes(PEM) + private(key) + middle.public_bytes(PEM) + leaf.public_bytes(PEM)
        identity = read_identity(pem, NOW, "")
        self.assertEqual(identity.chain, (leaf, middle, root))
        options(identity).getContext()
        self.assertIn("subject alternative name", identity.warnings[0])
        self.refused(private(key) + leaf.public_bytes(PEM) + root.public_bytes(PEM), "chain is broken")
        alone = read_identity(private(key) + leaf.public_bytes(PEM), NOW, "")
        self.assertIn("no chain", alone.warnings[0])

    def test_what_can_be_wrong(self) -> None:
        """Expired, too early, wrong key, encrypted, no key, no certificate, damaged."""
        identity = make(["localhost"], NOW)
        certificate = identity.leaf.public_bytes(PEM)
        key = ec.generate_private_key(ec.SECP256R1())
        self.refused(identity.pem(), "expired on 2027-12-2", NOW + timedelta(days=500))
        self.refused(identity.pem(), "not valid before", NOW - timedelta(days=5))
        self.refused(private(key) + certificate, "does not belong")
        self.refused(private(key, b"password") + certificate, "encrypted")
        self.refused(certificate, "no private key")
        self.refused(private(key), "no certificate")
        self.refused(identity.pem().replace(b"MI", b"XX"), "damaged")
        self.refused(identity.key_pem() + certificate[:200] + certificate[260:], "damaged")

    def test_an_impostor_in_the_chain(self) -> None:
        """A certificate with the right name that did not sign."""
        root_key, _ = authority("root")
        key, leaf = authority("leaf", (root_key, "root"))
        _, impostor = authority("root")
        self.refused(private(key) + leaf.public_bytes(PEM) + impostor.public_bytes(PEM), "did not sign")

    def test_a_file_that_is_not_there(self) -> None:
        """Told with its path."""
        self.assertIn("/no/file.pem", str(self.assertRaises(InvalidInput, load, Path("/no/file.pem"), NOW)))

    def test_nothing_secret_in_a_repr(self) -> None:
        """An identity shows nothing."""
        identity = make(["localhost"], NOW)
        self.assertNotIn("PRIVATE", repr(identity))
        self.assertIsInstance(identity, Identity)
