"""Whom the client takes for its warehouse: real handshakes, in memory."""

import contextlib

from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.tls.client import StrictPolicy, read_authorities
from tests.warehouse.client.certificates import Authority, Identity
from tests.warehouse.places import fresh_directory

HOST = "store.cloud.example"


def accepts(policy: StrictPolicy, identity: Identity, host: str = HOST) -> bool:
    """Whether a handshake with a server that shows `identity` succeeds."""
    creator = policy.creatorForNetloc(host.encode(), 9090)
    protocol = TLSMemoryBIOProtocol(TLSMemoryBIOFactory(creator, True, Factory()), Protocol())
    client = creator.clientConnectionForTLS(protocol)
    client.set_connect_state()
    server = SSL.Connection(identity.options().getContext(), None)
    server.set_accept_state()
    done: set[SSL.Connection] = set()
    while len(done) < 2:
        for end, other in ((client, server), (server, client)):
            try:
                end.do_handshake()
                done.add(end)
            except SSL.WantReadError:
                pass
            except SSL.Error:
                return False
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(end.bio_read(1 << 16))
    return True


class TrustTests(SynchronousTestCase):
    """Authorities and names."""

    def setUp(self) -> None:
        self.authority = Authority()
        self.policy = StrictPolicy(self.authority.pem)

    def test_right_name(self) -> None:
        """A certificate for the host's name, by an authority that we trust."""
        self.assertTrue(accepts(self.policy, self.authority.identity("x", "other.example", HOST)))
        self.assertTrue(accepts(self.policy, self.authority.identity("x", "*.cloud.example")))

    def test_right_address(self) -> None:
        """Addresses are proved as addresses."""
        for address in ("127.0.0.1", "::1"):
            self.assertTrue(accepts(self.policy, self.authority.identity("x", address), address))
            self.assertFalse(accepts(self.policy, self.authority.identity("x", "192.0.2.1"), address))

    def test_other_name(self) -> None:
        """A certificate that the authority gave to another server."""
        self.assertFalse(accepts(self.policy, self.authority.identity(HOST, "other.example")))

    def test_no_alternative_name(self) -> None:
        """A certificate that names no host is good for none; Twisted 26.10 alone would take it for any host."""
        self.assertFalse(accepts(self.policy, self.authority.identity(HOST)))
        self.assertFalse(accepts(self.policy, self.authority.identity("127.0.0.1"), "127.0.0.1"))

    def test_other_authority(self) -> None:
        """The right name, signed by anybody; with our authority named, or with those of the system."""
        stranger = Authority().identity("x", HOST)
        self.assertFalse(accepts(self.policy, stranger))
        self.assertFalse(accepts(StrictPolicy(), stranger))

    def test_several_authorities(self) -> None:
        """A file may have more than one."""
        policy = StrictPolicy(Authority().pem + b"\nsome words\n" + self.authority.pem)
        self.assertTrue(accepts(policy, self.authority.identity("x", HOST)))


class PinTests(SynchronousTestCase):
    """One certificate and no other."""

    def test_pinned(self) -> None:
        """Regardless of who signed it and what it names; the fingerprint may be written with colons."""
        identity = Authority().identity("whatever")
        print_ = identity.fingerprint
        self.assertTrue(accepts(StrictPolicy(fingerprint=print_), identity))
        coloned = ":".join(print_[at : at + 2] for at in range(0, 64, 2)).upper()
        self.assertTrue(accepts(StrictPolicy(fingerprint=coloned), identity))

    def test_another_good_certificate(self) -> None:
        """A certificate that an authority vouches for is not the pinned one."""
        authority = Authority()
        policy = StrictPolicy(authority.pem, authority.identity("x", HOST).fingerprint)
        self.assertFalse(accepts(policy, authority.identity("x", HOST)))


class AuthorityFileTests(SynchronousTestCase):
    """The setting warehouse_ca."""

    def test_unusable_files(self) -> None:
        """A file that is missing, empty or damaged is said with its name before anything is asked."""
        directory = fresh_directory(self)
        (directory / "empty").write_bytes(b"")
        (directory / "damaged").write_bytes(Authority().pem.replace(b"A", b"B"))
        for name in ("missing", "empty", "damaged"):
            with self.assertRaises(InvalidInput) as caught:
                read_authorities(directory / name)
            self.assertIn(name, str(caught.exception))
