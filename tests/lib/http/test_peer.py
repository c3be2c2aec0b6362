"""The address of a client."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.http.peer import peer_address


class PeerTests(SynchronousTestCase):
    """What sockets tell."""

    def test_addresses(self) -> None:
        """IPv4 is IPv4 whatever the socket; a scope does not count."""
        for peer, expected in (
            (IPv4Address("TCP", "192.0.2.7", 1), "192.0.2.7"),
            (IPv6Address("TCP", "::ffff:192.0.2.7", 1), "192.0.2.7"),
            (IPv6Address("TCP", "2001:db8::1", 1), "2001:db8::1"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::1"),
        ):
            self.assertEqual(str(peer_address(peer)), expected)

    def test_none(self) -> None:
        """A socket of this host, or no peer, has none."""
        for peer in (UNIXAddress(b"/run/x"), None, object()):
            self.assertIsNone(peer_address(peer))
