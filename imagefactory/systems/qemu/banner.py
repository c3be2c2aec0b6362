"""Is there an SSH server? Its identification line says so (RFC 4253, section 4.2)."""

from __future__ import annotations

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from imagefactory.lib.concurrency.clock import Clock, timeout
from imagefactory.lib.concurrency.event import Event


class BannerProtocol(LineOnlyReceiver):
    """Waits for the identification line; a server may send other lines before it.

    `banner` fires with the line, or with "" when the connection ends without one.
    """

    delimiter = b"\n"
    MAX_LENGTH = 1024

    def __init__(self) -> None:
        self.banner: Event[str] = Event()

    def lineReceived(self, line: bytes) -> None:
        if line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
            self._settle(line.decode("ascii", "replace").strip())

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - Twisted's signature
        self._settle("")

    def disconnect(self) -> None:
        """Close the connection."""
        if self.transport is not None:
            self.transport.loseConnection()

    def _settle(self, banner: str) -> None:
        if not self.banner.fired:
            self.banner.fire(banner)


async def ssh_banner(endpoint: IStreamClientEndpoint, clock: Clock, patience: float = 15.0) -> str:
    """Connect and read the identification line; "" if none came within `patience` seconds.

    Raises what the endpoint raises (the port is closed).
    """
    factory = Factory.forProtocol(BannerProtocol)
    factory.noisy = False
    protocol: BannerProtocol = await endpoint.connect(factory)  # type: ignore[assignment]
    try:
        return await timeout(clock, patience, protocol.banner.wait())
    except TimeoutError:
        return ""
    finally:
        protocol.disconnect()
