"""HTTP without sockets: connections between an agent and a server factory in this process, driven by a clock."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IConsumer, IProtocolFactory, IPushProducer, IStreamClientEndpoint, ITransport
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from imagefactory.lib.concurrency.clock import Clock

#: Bytes on their way in one direction before the writer is told to wait.
HIGH_WATER = 1 << 20


@implementer(ITransport, IConsumer, IPushProducer)
class End:
    """One end of a connection; what is written arrives with the clock's next step."""

    disconnecting = False

    def __init__(self, clock: Clock, port: int) -> None:
        self._clock = clock
        self._port = port
        self.peer: End
        self.protocol: Any = None
        self._out: list[bytes] = []
        self._scheduled = False
        self._reading = True
        self._producer: Any = None
        self._streaming = True
        self._told_to_wait = False
        self.connected = True

    def write(self, data: bytes) -> None:
        if self.connected and not self.disconnecting and data:
            self._out.append(data)
            if self._producer and self._streaming and sum(map(len, self._out)) > HIGH_WATER:
                self._told_to_wait = True
                self._producer.pauseProducing()
            self._schedule()

    def writeSequence(self, data: Any) -> None:  # noqa: N802 - Twisted's names from here on
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802
        self._producer, self._streaming = producer, streaming
        self._schedule()

    def unregisterProducer(self) -> None:  # noqa: N802
        self._producer = None
        self._schedule()

    def pauseProducing(self) -> None:
        self._reading = False

    def resumeProducing(self) -> None:
        self._reading = True
        self.peer._schedule()

    def stopProducing(self) -> None:
        self.loseConnection()

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._schedule()

    def abortConnection(self) -> None:  # noqa: N802
        self._out.clear()
        self._break(ConnectionLost())

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self._port + 1)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self._port)

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        pass

    def _schedule(self) -> None:
        if self.connected and not self._scheduled:
            self._scheduled = True
            self._clock.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if not self.connected or not self.peer._reading:
            return
        out, self._out = self._out, []
        for position, data in enumerate(out):
            if not (self.peer.connected and self.peer._reading):
                self._out = out[position:] + self._out
                break
            self.peer.protocol.dataReceived(data)
        self._go_on()

    def _go_on(self) -> None:
        if self._out or not self.connected:
            return
        if self._producer and (self._told_to_wait or not self._streaming):
            self._told_to_wait = False
            self._producer.resumeProducing()
        elif self.disconnecting and not self._producer:
            self._break(ConnectionDone())

    def _break(self, reason: Exception) -> None:
        for end in (self, self.peer):
            if end.connected:
                end.connected = False
                end.protocol.connectionLost(Failure(reason))


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
class MemoryNet:
    """Where an agent finds `server` under every URL; None: connections are refused."""

    def __init__(self, clock: Clock, server: IProtocolFactory | None) -> None:
        self.clock = clock
        self.server = server
        self.connections: list[End] = []

    def agent(self, *, persistent: bool = True) -> Agent:
        """An agent whose connections all go here."""
        pool = HTTPConnectionPool(self.clock, persistent)
        pool.retryAutomatically = False
        agent: Agent = Agent.usingEndpointFactory(self.clock, self, pool)
        return agent

    def endpointForURI(self, uri: URI) -> MemoryNet:  # noqa: N802
        return self

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        """A new connection."""
        if self.server is None:
            return fail(ConnectionRefusedError())
        client, server = End(self.clock, 40000), End(self.clock, 9090)
        client.peer, server.peer = server, client
        client.protocol, server.protocol = (
            factory.buildProtocol(server.getHost()),
            self.server.buildProtocol(client.getHost()),
        )
        self.connections.append(client)
        server.protocol.makeConnection(server)
        client.protocol.makeConnection(client)
        return succeed(client.protocol)

    def cut(self) -> None:
        """All connections break."""
        connections, self.connections = self.connections, []
        for end in connections:
            if end.connected:
                end.abortConnection()
