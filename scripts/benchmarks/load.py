"""A small load generator: some connections that each ask again as soon as they are answered.

It runs as a process of its own (`python -m scripts.benchmarks.load`), so that it shares no interpreter with what it
measures.
"""

import argparse
import itertools
import json
import random
import selectors
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

WARM_UP = 0.5  # seconds that are not counted


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back: answers per second, seconds that the middle one and the slowest percent took at least, how many
    were not wanted."""

    rate: float
    median: float
    p99: float
    wrong: int


@dataclass(frozen=True, slots=True)
class Enough:
    """When to stop: after so many seconds, or after `count` answers (then the first are not left out)."""

    seconds: float
    count: int = 0

    def reached(self, elapsed: float, answers: int) -> bool:
        """Whether it is enough."""
        return answers >= self.count if self.count else elapsed >= self.seconds


class Connection:
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, port: int, context: ssl.SSLContext | None, request: Callable[[], bytes]) -> None:
        plain = socket.create_connection(("127.0.0.1", port), 30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain) if context else plain
        self._request = request
        self._came = b""
        self._sent = 0.0

    def ask(self) -> None:
        """Send the next request."""
        self._came = b""
        self._sent = time.perf_counter()
        self.socket.sendall(self._request())

    def answered(self) -> tuple[bytes, float] | None:
        """Status and seconds of the answer, None if it is not complete."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        if not end or not self._is_complete(head.lower(), body):
            return None
        return head[9:12], time.perf_counter() - self._sent

    def _is_complete(self, head: bytes, body: bytes) -> bool:
        _, found, rest = head.partition(b"content-length:")
        if found:
            return len(body) >= int(rest.split(b"\r\n")[0])
        return body.endswith(b"0\r\n\r\n")  # chunked


def load(port: int, request: Callable[[], bytes], enough: Enough, *, tls: bool, connections: int) -> Answers:
    """Ask until it is enough."""
    every = [Connection(port, unverified() if tls else None, request) for _ in range(connections)]
    selector = selectors.DefaultSelector()
    for connection in every:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.ask()
    times: list[float] = []
    wrong = 0
    began = time.perf_counter() + (0 if enough.count else WARM_UP)
    while not enough.reached((now := time.perf_counter()) - began, len(times)):
        for key, _ in selector.select(1):
            answer = key.data.answered()
            if answer is None:
                continue
            if now >= began:
                times.append(answer[1])
                wrong += answer[0] not in {b"200", b"201", b"202"}
            key.data.ask()
    for connection in every:
        connection.socket.close()
    seconds = time.perf_counter() - began
    times.sort()
    return Answers(len(times) / seconds, times[len(times) // 2], times[len(times) * 99 // 100], wrong)


def unverified() -> ssl.SSLContext:
    """TLS without checking the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def requests(method: str, path: str, body: str, numbers: int, *, in_order: bool) -> Callable[[], bytes]:
    """Makes requests; `{}` in path and body becomes a number below `numbers`, by chance or one after the other."""
    every = itertools.cycle(range(numbers))

    def request() -> bytes:
        number = str(next(every) if in_order else random.randrange(numbers))
        data = body.replace("{}", number).encode()
        length = f"Content-Length: {len(data)}\r\n" if data else ""
        head = f"{method} {path.replace('{}', number)} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n"
        return head.encode() + data

    return request


def loaded(port: int, path: str, *options: str) -> Answers:
    """Run it as a process, see `main` for the options."""
    argv = (sys.executable, "-m", "scripts.benchmarks.load", str(port), path, *options)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return Answers(**json.loads(done.stdout))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--method", default="GET")
    parser.add_argument("--body", default="")
    parser.add_argument("--numbers", type=int, default=1)
    parser.add_argument("--count", type=int, default=0, help="so many answers instead of so many seconds")
    asked = parser.parse_args()
    request = requests(asked.method, asked.path, asked.body, asked.numbers, in_order=bool(asked.count))
    enough = Enough(asked.seconds, asked.count)
    answers = load(asked.port, request, enough, tls=asked.tls, connections=asked.connections)
    print(json.dumps(asdict(answers)))


if __name__ == "__main__":
    main()
