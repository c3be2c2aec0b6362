"""A warehouse server as a process of its own, over real sockets."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SERVER = """
import sys
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from imagefactory.lib.concurrency.threads import PoolThreads
from imagefactory.warehouse.server import make_site
from imagefactory.warehouse.store import open_store

threads = PoolThreads(reactor, 4)
threads.start()
store = open_store(Path(sys.argv[1]))
port = reactor.listenTCP(0, make_site(store, threads, reactor), interface="127.0.0.1")
reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(threads.stop()))
print(port.getHost().port, flush=True)
reactor.run()
"""


class Server:
    """A running server over the directory `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = subprocess.Popen([sys.executable, "-c", SERVER, str(path)], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.communicate(timeout=60)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def begin(self, path: str, length: int) -> socket.socket:
        """A connection that has sent the head of a PUT."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        return connection

    def bodies(self) -> list[Path]:
        """All bodies, stored or on their way."""
        return [path for path in self.path.rglob("*") if len(path.name) == 32 and path.is_file()]

    def memory(self) -> int:
        """The most memory it ever had, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def await_bodies(self, count: int) -> None:
        """Wait until that many bodies are there."""
        deadline = time.monotonic() + 30
        while len(self.bodies()) != count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.bodies())} bodies, not {count}")
            time.sleep(0.05)


def can_mount() -> bool:
    """Whether this process may mount."""
    return (
        os.geteuid() == 0
        and subprocess.run(
            ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        ).returncode
        == 0
    )
