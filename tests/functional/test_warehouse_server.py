"""The warehouse server under fire: real sockets, killed processes, full disks."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from imagefactory.warehouse.store import open_store
from tests.functional.warehouse_process import Server, can_mount

MIB = 1 << 20


class ServerTestCase(SynchronousTestCase):
    """A server with the bucket b."""

    def setUp(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.server = self.start(self.directory / "warehouse")
        self.server.ask("PUT", "/b")

    def start(self, path: Path) -> Server:
        """A server over that directory."""
        server = Server(path)
        self.addCleanup(server.end, signal.SIGKILL)
        return server


class CrashTests(ServerTestCase):
    """Connections and servers that end early."""

    def test_killed_during_a_large_upload(self) -> None:
        """kill -9 in the middle of 1 GiB: after a restart the old body is there, and nothing of the new one."""
        self.assertEqual(self.server.ask("PUT", "/b/k", b"old")[0], 201)
        connection = self.server.begin("/b/k", 1024 * MIB)
        self.addCleanup(connection.close)
        piece = os.urandom(MIB)
        for _ in range(300):
            connection.sendall(piece)
        self.server.end(signal.SIGKILL)
        self.assertEqual(len(self.server.bodies()), 2)
        again = self.start(self.server.path)
        self.assertEqual(again.ask("GET", "/b/k"), (200, b"old"))
        self.assertEqual(len(again.bodies()), 1)
        self.assertEqual(again.ask("PUT", "/b/k", b"new")[0], 201)

    def test_client_goes_away(self) -> None:
        """A client that hangs up at 10 % or 99 % leaves the old body and no trace."""
        self.server.ask("PUT", "/b/k", b"old")
        for percent in (10, 99):
            connection = self.server.begin("/b/k", 100 * MIB)
            for _ in range(percent):
                connection.sendall(b"x" * MIB)
            self.server.await_bodies(2)
            connection.close()
            self.server.await_bodies(1)
            self.assertEqual(self.server.ask("GET", "/b/k"), (200, b"old"))

    def test_disk_full(self) -> None:
        """On a disk that fills up during uploads: 507, the old body intact, and room again for small ones."""
        if not can_mount():
            raise SkipTest("mounting a small file system takes root")
        small = self.directory / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(small)], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(small)], check=True)
        server = self.start(small / "warehouse")
        server.ask("PUT", "/b")
        self.assertEqual(server.ask("PUT", "/b/k", b"old")[0], 201)
        self.assertEqual(server.ask("PUT", "/b/k", os.urandom(40 * MIB))[0], 507)
        self.assertEqual(_chunked(server, "/b/k", 40), 507)
        self.assertEqual(server.ask("GET", "/b/k"), (200, b"old"))
        server.await_bodies(1)
        self.assertEqual(server.ask("PUT", "/b/k", os.urandom(4 * MIB))[0], 201)
        server.end()


def _chunked(server: Server, path: str, mebibytes: int) -> int:
    """The status of an upload without an announced length."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    pieces = (os.urandom(MIB) for _ in range(mebibytes))
    connection.request("PUT", path, pieces, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    status = connection.getresponse().status
    connection.close()
    return status


class LoadTests(ServerTestCase):
    """Much at once."""

    def test_parallel_uploads(self) -> None:
        """64 uploads at once all arrive, whole, in little memory."""

        def upload(number: int) -> bool:
            body = bytes([number]) * (3 * MIB + number)
            stored = self.server.ask("PUT", f"/b/k{number}", body, X_Warehouse_Attributes=f"n={number}")[0] == 201
            return stored and self.server.ask("GET", f"/b/k{number}") == (200, body)

        with ThreadPoolExecutor(64) as pool:
            self.assertTrue(all(pool.map(upload, range(64))))
        self.assertLess(self.server.memory(), 120_000_000)
        self.assertEqual(len(self.server.bodies()), 64)

    def test_one_key(self) -> None:
        """Many writers, readers and deleters of one key: each reader gets one body, whole, or none."""
        bodies = [bytes([number]) * (2 * MIB) for number in range(8)]

        def work(turn: int) -> bool:
            if turn % 7 == 6:
                return self.server.ask("DELETE", "/b/k")[0] in {200, 404}
            if turn % 2:
                return self.server.ask("PUT", "/b/k", bodies[turn % 8])[0] == 201
            status, body = self.server.ask("GET", "/b/k")
            return (status == 200 and body in bodies) or (status == 404 and not body)

        with ThreadPoolExecutor(8) as pool:
            self.assertEqual([turn for turn, good in enumerate(pool.map(work, range(120))) if not good], [])
        self.server.ask("DELETE", "/b/k")
        self.server.await_bodies(0)

    def test_memory_does_not_grow_with_the_body(self) -> None:
        """512 MiB in and out, in less than 120 MB."""
        connection = self.server.begin("/b/k", 512 * MIB)
        piece = os.urandom(MIB)
        for _ in range(512):
            connection.sendall(piece)
        self.assertIn(b"201", connection.recv(100))
        connection.close()
        reader = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        reader.request("GET", "/b/k")
        response = reader.getresponse()
        read = 0
        while data := response.read(MIB):
            read += len(data)
        reader.close()
        self.assertEqual(read, 512 * MIB)
        self.assertLess(self.server.memory(), 120_000_000)

    def test_hundred_thousand_objects(self) -> None:
        """They are listed and queried."""
        self.server.end()
        store = open_store(self.server.path)
        with store.metadata.write() as transaction:
            for number in range(100_000):
                stored = transaction.obtain("b", f"k{number:06}", 0)
                transaction.set_attributes(stored.id, {"build": f"b-{number // 3}", "target": f"t{number % 3}"})
        store.close()
        server = self.start(self.server.path)
        status, listing = server.ask("GET", "/b")
        self.assertEqual((status, listing.count(b"<object>")), (200, 100_000))
        status, found = server.ask("POST", "/b/_query", b'$build == "b-30000" && $target == "t1"')
        self.assertEqual((status, found.count(b"<object>")), (200, 1))
        status, found = server.ask("POST", "/b/_query", b'$target != "t1" && $build > "b-9"')
        self.assertEqual(status, 200)
        page = server.ask("GET", "/b?after=k050000&limit=2", Accept="application/json")[1]
        self.assertIn(b"k050001", page)
        status, found = server.ask("POST", "/b/_query?attrs=", b'$target != "t1"')
        self.assertEqual((status, found.count(b"<object_attr ")), (200, 2 * found.count(b"<object>")))
        self.assertLess(server.memory(), 120_000_000)
