"""The identification line of an SSH server."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.systems.qemu.banner import ssh_banner
from tests.systems.qemu.test_qmp import Endpoint


class BannerTests(SynchronousTestCase):
    """With patience, but not too much."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = Endpoint()
        self.work = Deferred.fromCoroutine(ssh_banner(self.endpoint, self.clock))  # type: ignore[arg-type]

    def test_the_line_is_found_among_others(self) -> None:
        """A server may greet first; the connection is closed then."""
        self.endpoint.protocol.dataReceived(b"welcome\r\nSSH-2.0-Open")
        self.assertNoResult(self.work)
        self.endpoint.protocol.dataReceived(b"SSH_9.2p1 Debian\r\nmore\r\n")
        self.assertEqual(self.successResultOf(self.work), "SSH-2.0-OpenSSH_9.2p1 Debian")
        self.assertTrue(self.endpoint.transport.disconnecting)

    def test_a_connection_that_is_closed_has_no_banner(self) -> None:
        """Which is what qemu does while no server listens in the guest."""
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.successResultOf(self.work), "")

    def test_silence_has_no_banner(self) -> None:
        """After a while the connection is given up."""
        self.clock.advance(15)
        self.assertEqual(self.successResultOf(self.work), "")
        self.assertTrue(self.endpoint.transport.disconnecting)
