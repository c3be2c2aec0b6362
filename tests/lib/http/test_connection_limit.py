"""Who is served when many come."""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.http.connection_limit import ConnectionLimit


def address(host: str) -> IAddress:
    """A client there."""
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 1)


class ConnectionLimitTests(SynchronousTestCase):
    """Forty connections, of one address ten, two for loopback only."""

    def setUp(self) -> None:
        self.limit = ConnectionLimit(Clock(), 40, b"no", each=10, exempt=("192.0.2.0/24",))

    def come(self, host: str, times: int = 1) -> list[Protocol]:
        """Returns those of so many clients that are served."""
        served = []
        for _ in range(times):
            if self.limit.turned_away(address(host)) is None:
                channel = Protocol()
                channel.transport = StringTransport(peerAddress=address(host))
                self.limit.came(channel)
                served.append(channel)
        return served

    def test_one_address_has_a_part(self) -> None:
        """Others are served meanwhile; one that goes makes room."""
        first = self.come("198.51.100.1", 50)
        self.assertEqual((len(first), len(self.come("198.51.100.2"))), (10, 1))
        self.limit.went(first[0])
        self.limit.went(first[0])
        self.assertEqual((len(self.limit), len(self.come("198.51.100.1", 2))), (10, 1))

    def test_addresses_of_one_host(self) -> None:
        """A host has a network of IPv6; an IPv4 address may be written as one of IPv6."""
        served = [channel for number in range(1, 30) for channel in self.come(f"2001:db8::{number:x}")]
        self.assertEqual((len(served), len(self.come("2001:db8:0:1::1"))), (10, 1))
        self.assertEqual(len(self.come("198.51.100.1", 9) + self.come("::ffff:198.51.100.1", 9)), 10)

    def test_a_reserve_for_this_host(self) -> None:
        """However many come from elsewhere; loopback is limited by the total alone."""
        for number in range(10):
            self.come(f"198.51.100.{number}", 10)
        self.assertEqual(len(self.limit), 38)
        self.assertEqual(len(self.come("127.0.0.1", 1) + self.come("::1", 1) + self.come("127.0.0.9")), 2)
        self.assertIsNotNone(self.limit.turned_away(UNIXAddress(b"/run/x")))

    def test_loopback_does_not_use_up_what_others_have(self) -> None:
        """It may have all, but those that it has do not count as others."""
        self.assertEqual(len(self.come("127.0.0.1", 35)), 35)
        self.assertEqual(len(self.come("198.51.100.1", 9)), 5)

    def test_exempt(self) -> None:
        """A proxy speaks for many clients."""
        self.assertEqual(len(self.come("192.0.2.7", 50)), 38)

    def test_small_limits(self) -> None:
        """Have no reserve."""
        self.limit = ConnectionLimit(Clock(), 2, b"no")
        self.assertEqual(len(self.come("198.51.100.1", 3)), 2)
