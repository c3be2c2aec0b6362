"""Large bodies to and from our server over connections that break, and files with holes."""

import os
from hashlib import sha256
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict, InvalidInput, NotFound, Unavailable
from imagefactory.lib.files import content
from imagefactory.testing.memory_net import MemoryNet
from imagefactory.warehouse.client.upload import SMALL
from tests.warehouse.client.places import World, new_clock, our_site
from tests.warehouse.places import fresh_directory

SIZE = SMALL + (2 << 20)


class Flaky:
    """A server factory whose connections break after so many bytes in one direction, one limit per connection."""

    def __init__(self, real: object, net: MemoryNet) -> None:
        self.real = real
        self.net = net
        self.limits: list[tuple[int, int]] = []  # from and to the client
        self.received: list[int] = []

    def buildProtocol(self, address: object) -> Protocol:
        protocol: Protocol = self.real.buildProtocol(address)  # type: ignore[attr-defined]
        limit = self.limits.pop(0) if self.limits else (1 << 60, 1 << 60)
        place, taken, plain = len(self.received), protocol.dataReceived, protocol.makeConnection
        self.received.append(0)
        sent = 0

        def receive(data: bytes) -> None:
            self.received[place] += len(data)
            taken(data)
            if self.received[place] > limit[0]:
                protocol.transport.abortConnection()  # type: ignore[union-attr]

        def connected(transport: object) -> None:
            write = transport.write  # type: ignore[attr-defined]

            def send(data: bytes) -> None:
                nonlocal sent
                write(data[: max(0, limit[1] - sent)])
                sent += len(data)
                if sent > limit[1]:
                    self.net.clock.callLater(0.01, transport.abortConnection)  # type: ignore[attr-defined]

            transport.write = send  # type: ignore[attr-defined]
            plain(transport)  # type: ignore[arg-type]

        protocol.dataReceived = receive  # type: ignore[method-assign]
        protocol.makeConnection = connected  # type: ignore[method-assign,assignment]
        return protocol


class TransferTests(SynchronousTestCase):
    """One client and one server of ours."""

    def setUp(self) -> None:
        self.clock = new_clock()
        self.world = World(None, self.clock, wait=600)
        self.server = Flaky(our_site(self, self.clock), self.world.net)
        self.world.net.server = self.server  # type: ignore[assignment]
        self.warehouse = self.world.warehouse
        self.workspace = fresh_directory(self)
        self.world.run(self.warehouse.create_bucket("b"))
        self.world.net.cut()

    def file(self, content: bytes) -> Path:
        path = self.workspace / "image"
        path.write_bytes(content)
        return path

    def holes(self) -> Path:
        """64 MiB of which 1 MiB is data."""
        path = self.workspace / "image"
        with path.open("wb") as file:
            file.seek(10 << 20)
            file.write(os.urandom(1 << 20))
            file.truncate(64 << 20)
        return path

    def test_upload_goes_on_where_it_broke(self) -> None:
        """What arrived before the break is not sent again."""
        content = os.urandom(SIZE)
        self.server.limits = [(SIZE // 2, 1 << 60)]
        running = self.world.begin(self.warehouse.adopt("b", "k", self.file(content), {"build": "x"}))
        self.world.advance(5)
        self.successResultOf(running)
        self.assertFalse((self.workspace / "image").exists())
        self.assertEqual(self.world.run(self.warehouse.body("b", "k")), content)
        self.assertEqual(self.world.run(self.warehouse.query("b", '$build == "x"')), ["k"])
        self.assertLess(sum(self.server.received), SIZE + (1 << 20))

    def test_nothing_is_seen_of_a_broken_upload(self) -> None:
        """Until all is there, there is no object; a file that could not be stored stays."""
        self.server.limits = [(1 << 20, 1 << 60)] * 100
        running = self.world.begin(self.warehouse.adopt("b", "k", self.file(bytes(range(256)) * 40960), {"a": "1"}))
        self.world.advance(2)
        running.cancel()
        self.world.settle()
        self.failureResultOf(running, CancelledError)
        self.assertTrue((self.workspace / "image").exists())
        self.server.limits = []
        self.assertIsNone(self.world.run(self.warehouse.attributes("b", "k")))

    def test_holes_are_not_sent(self) -> None:
        """A file of 64 MiB with 1 MiB of data costs 1 MiB each way, and is the same file on the other side."""
        path = self.holes()
        digest = sha256(path.read_bytes()).hexdigest()
        self.world.run(self.warehouse.send("b", "k", path, {}, {"X-Warehouse-SHA256": digest}))
        self.assertLess(sum(self.server.received), 2 << 20)
        local = self.world.run(self.warehouse.local("b", "k", self.workspace))
        assert local is not None
        self.assertEqual(sha256(local.read_bytes()).hexdigest(), digest)
        self.assertLess(local.stat().st_blocks * 512, 2 << 20)

    def test_holes_are_not_hashed(self) -> None:
        """Nor read: both sides check such a file by the digest that costs nothing for holes."""
        path = self.holes()
        hashed = []
        self.patch(content, "_hash_zeroes", lambda _, length: hashed.append(length))
        self.world.run(self.warehouse.adopt("b", "k", path, {}, keep=True))
        self.assertIsNotNone(self.world.run(self.warehouse.local("b", "k", self.workspace)))
        self.assertLess(sum(hashed), 8 << 20)

    def test_download_goes_on_where_it_broke(self) -> None:
        """A download over a breaking connection fetches every byte about once, holes included as such."""
        path = self.holes()
        content = path.read_bytes()
        self.world.run(self.warehouse.adopt("b", "k", path, {}))
        self.world.net.cut()
        self.server.limits = [(1 << 60, 600 << 10)]
        running = self.world.begin(self.warehouse.local("b", "k", self.workspace))
        self.world.advance(5)
        local = self.successResultOf(running)
        self.assertEqual(local.read_bytes(), content)
        self.assertEqual([each.name for each in self.workspace.iterdir()], ["k"])
        self.assertLess(local.stat().st_blocks * 512, 2 << 20)

    def test_body_that_changed_between_two_tries(self) -> None:
        """A download that goes on with another body begins anew: it is never a mix."""
        old, new = os.urandom(3 << 20), os.urandom(3 << 20)
        self.world.run(self.warehouse.put("b", "k", old, {}))
        self.world.net.cut()
        self.server.limits = [(1 << 60, 2 << 20)]
        running = self.world.begin(self.warehouse.local("b", "k", self.workspace))
        self.assertNoResult(running)
        store = self.server.real.application.store  # type: ignore[attr-defined]
        store.put("b", "k", new, {})
        self.world.advance(5)
        self.assertEqual(self.successResultOf(running).read_bytes(), new)

    def test_cancelled_download(self) -> None:
        """Nothing is left of it: no file, no timer, no connection."""
        self.world.run(self.warehouse.put("b", "k", os.urandom(1 << 20), {}))
        self.world.net.cut()
        self.server.limits = [(1 << 60, 1000)]
        running = self.world.begin(self.warehouse.local("b", "k", self.workspace))
        running.cancel()
        self.world.settle()
        self.failureResultOf(running, CancelledError)
        self.assertEqual(list(self.workspace.iterdir()), [])

    def test_wrong_digest_is_refused(self) -> None:
        """A file that is not what its maker says it is does not get in."""
        path = self.file(b"something")
        for header in ("X-Warehouse-SHA256", "X-Warehouse-Content"):
            with self.assertRaises(InvalidInput):
                self.world.run(self.warehouse.send("b", "k", path, {}, {header: "0" * 64}))
        self.assertIsNone(self.world.run(self.warehouse.attributes("b", "k")))
        self.assertTrue(path.exists())

    def test_missing_file(self) -> None:
        """A file that is not there is said, not a broken request."""
        with self.assertRaises(NotFound):
            self.world.run(self.warehouse.adopt("b", "k", self.workspace / "none", {}))

    def test_file_that_shrinks(self) -> None:
        """A file that is cut while it is sent ends the upload, once, with the reason."""
        path = self.file(os.urandom(SIZE))
        seen = self.server.received

        def cut() -> None:
            if seen and seen[-1] > 1 << 20:
                os.truncate(path, 100)
            else:
                self.clock.callLater(0, cut)

        self.clock.callLater(0, cut)
        with self.assertRaises(Conflict):
            self.world.run(self.warehouse.adopt("b", "k", path, {}))
        self.assertIsNone(self.world.run(self.warehouse.attributes("b", "k")))

    def test_restarted_server(self) -> None:
        """An upload whose first half the server has forgotten begins anew."""
        content = os.urandom(SIZE)
        self.server.limits = [(SIZE // 2, 1 << 60)]
        running = self.world.begin(self.warehouse.adopt("b", "k", self.file(content), {}))
        self.assertNoResult(running)
        self.server.real = our_site(self, self.clock)
        store = self.server.real.application.store
        store.create_bucket("b")
        self.world.advance(5)
        self.successResultOf(running)
        self.assertEqual(self.world.run(self.warehouse.body("b", "k")), content)

    def test_damaged_on_the_servers_disk(self) -> None:
        """A body that has changed there since it was stored is not returned, neither as bytes nor as a file."""
        for place, ask in enumerate((self.warehouse.body, self.warehouse.local)):
            key = f"k{place}"
            self.world.run(self.warehouse.put("b", key, bytes([place]) * (3 << 20), {}))
            store = self.server.real.application.store  # type: ignore[attr-defined]
            path = store.blobs.path(store.find("b", key).blob.id)
            with path.open("r+b") as file:
                file.seek(1 << 20)
                file.write(b"X")
            more = {} if place == 0 else {"workspace": self.workspace}
            running = self.world.begin(ask("b", key, **more))  # type: ignore[operator]
            self.world.advance(30)
            self.failureResultOf(running, Unavailable)
        self.assertEqual(list(self.workspace.iterdir()), [])
