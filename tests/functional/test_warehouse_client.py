"""The client and our server over real sockets and threads: plain, and behind TLS and OAuth."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, wrapServerTLS
from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection

from imagefactory.lib.errors import Forbidden, NotFound, Unauthorized, Unavailable
from imagefactory.lib.secret import Secret
from imagefactory.testing.iwhd import FakeIwhd, iwhd_site
from imagefactory.testing.warehouse import WarehouseContract
from imagefactory.warehouse.client import RemoteWarehouse, WarehouseAddress, connect_warehouse, probe
from imagefactory.warehouse.server.site import make_site
from imagefactory.warehouse.store.embedded import open_store
from tests.functional.real import RealTestCase
from tests.warehouse.client.certificates import Authority


class SocketTestCase(RealTestCase):
    """A server on a free port of the loopback, and clients of it."""

    users: ClassVar[Mapping[str, Secret] | None] = None
    tls = False

    async def serve(self) -> str:
        """A fresh server; its URL."""
        store = open_store(self.directory / "warehouse")
        site = make_site(store, self.threads, self.reactor, self.users)
        endpoint: Any = TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
        if self.tls:
            self.authority = Authority()
            endpoint = wrapServerTLS(self.authority.identity("x", "127.0.0.1").options(), endpoint)
        port = await endpoint.listen(site)
        self.addCleanup(store.close)
        self.addCleanup(port.stopListening)
        return f"http{'s' if self.tls else ''}://127.0.0.1:{port.getHost().port}/"

    async def connect(self, url: str, **more: Any) -> RemoteWarehouse:
        """A client, closed after the test."""
        warehouse = await connect_warehouse(WarehouseAddress(url, wait=0, **more), self.reactor, self.threads)
        self.addCleanup(lambda: self._closed(warehouse))
        return warehouse

    def _closed(self, warehouse: RemoteWarehouse) -> Any:
        return Deferred.fromCoroutine(self._close(warehouse))

    async def _close(self, warehouse: RemoteWarehouse) -> None:
        await warehouse.close()
        for _ in range(200):  # dropped connections are not gone at once
            if not any(isinstance(reader, Connection) for reader in self.reactor.getReaders()):
                return
            await deferLater(self.reactor, 0.01)


class PlainContractTests(WarehouseContract, SocketTestCase):
    """The contract over a loopback socket."""

    async def make(self) -> RemoteWarehouse:
        """A client of a fresh server."""
        return await self.connect(await self.serve())


class SecureContractTests(WarehouseContract, SocketTestCase):
    """The contract behind TLS and OAuth."""

    users: ClassVar[Mapping[str, Secret] | None] = {"factory": Secret("very secret")}
    tls = True

    async def make(self) -> RemoteWarehouse:
        """A client that knows the authority and the secret."""
        url = await self.serve()
        (self.directory / "ca.pem").write_bytes(self.authority.pem)
        return await self.connect(url, key="factory", secret=Secret("very secret"), ca=str(self.directory / "ca.pem"))

    async def test_servers_that_are_no_warehouse(self) -> None:
        """Neither an unknown server nor an unknown client is taken."""
        await self.make()
        url = self.url
        ca = str(self.directory / "ca.pem")
        for more, error in (({}, Unavailable), ({"fingerprint": "0" * 64}, Unavailable), ({"ca": ca}, Unauthorized)):
            await self.fails(error, (await self.connect(url, **more)).keys("b"))

    async def serve(self) -> str:
        """Remembers where."""
        self.url = await super().serve()
        return self.url


class LargeBodyTests(SocketTestCase):
    """Memory and time with bodies that do not fit into any buffer."""

    async def test_half_a_gigabyte_each_way(self) -> None:
        """Memory does not grow with the body, neither here nor in the server (both are this process)."""
        warehouse = await self.connect(await self.serve())
        await warehouse.create_bucket("b")
        path = self.directory / "large"
        piece = os.urandom(1 << 20)
        with path.open("wb") as file:
            for _ in range(512):
                file.write(piece)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await warehouse.adopt("b", "k", path, {"build": "x"})
        local = await warehouse.local("b", "k", self.directory)
        assert local is not None
        self.assertEqual(local.stat().st_size, 512 << 20)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        self.assertLess(grown, 60 << 10)  # KiB


class RefusedBodyTests(SocketTestCase):
    """Large bodies that the server does not want."""

    users: ClassVar[Mapping[str, Secret] | None] = {"factory": Secret("very secret")}

    async def test_unknown_client(self) -> None:
        """The file is not sent, and stays."""
        warehouse = await self.connect(await self.serve(), key="factory", secret=Secret("wrong"))
        path = self.directory / "large"
        path.write_bytes(os.urandom(100 << 20))
        for _ in range(3):
            await self.fails(Unauthorized, warehouse.adopt("b", "k", path, {}))
        self.assertTrue(path.exists())

    async def test_refused_while_it_is_sent(self) -> None:
        """An answer that comes before all of the body has gone is heard, and leaves no connection."""
        warehouse = await self.connect(await self.serve(), key="factory", secret=Secret("very secret"))
        await warehouse.create_bucket("b")
        path = self.directory / "large"
        path.write_bytes(os.urandom(100 << 20))
        for _ in range(3):
            await self.fails(Forbidden, warehouse.adopt("b", "_policy", path, {}))
        self.assertTrue(path.exists())

    async def test_no_bucket(self) -> None:
        """A missing bucket is said as such."""
        warehouse = await self.connect(await self.serve(), key="factory", secret=Secret("very secret"))
        path = self.directory / "large"
        path.write_bytes(os.urandom(100 << 20))
        await self.fails(NotFound, warehouse.adopt("b", "k", path, {}))


class ProbeTests(SocketTestCase):
    """What is on a port."""

    async def test_probe(self) -> None:
        """The probe tells our server, a silent port and an iwhd apart."""
        self.assertTrue(await probe(await self.serve(), self.reactor, self.threads))
        port = self.reactor.listenTCP(0, iwhd_site(FakeIwhd(), self.reactor), interface="127.0.0.1")
        url = f"http://localhost:{port.getHost().port}/"
        self.assertTrue(await probe(url, self.reactor, self.threads))
        await port.stopListening()
        self.assertFalse(await probe(url, self.reactor, self.threads))
