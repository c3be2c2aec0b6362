"""The REST API against a bare Klein application, idle and at work, and its memory."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagefactory.lib.tls import identity as tls
from scripts.benchmarks.load import Answers, loaded, unverified
from scripts.benchmarks.tables import megabytes, progress, ratio, show
from scripts.benchmarks.timing import free_port, high_water, program, resident, service

TEMPLATE = Path(__file__).resolve().parents[2] / "examples" / "debian-12.tdl"
PLACEHOLDER = "http://mirror.example/debian"
FINISHED = 10_000
STREAMS = 500
UPLOAD = 2 << 30
ROUNDS = 3
BUSY_ROUNDS = 4
BUSY_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running factory: its ports and process, and a finished job to ask for."""

    port: int
    warehouse: int
    pid: int
    tls: bool
    job: str

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """One request."""
        connection = _connection(self.port, tls=self.tls)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def load(self, seconds: float) -> Answers:
        """What clients poll most."""
        options = ["--tls"] if self.tls else []
        path = f"/imagefactory/builders/{self.job}/status"
        return loaded(self.port, path, "--seconds", str(seconds), *options)


def measure(directory: Path, *, install: bool) -> None:  # noqa: ARG001 - as all parts
    """Measure and print."""
    pem = directory / "identity.pem"
    tls.kept(pem, ["localhost"], tls.today())
    rows = []
    for secure in (False, True):
        rows += _speed(directory, pem, secure)
    head = ("", "requests/s", "of Klein", "median", "p99", "p99 to idle", "p99 to busy Klein", "aim")
    show("GET /imagefactory/builders/:id/status, 8 connections", head, rows)
    show("Memory of the daemon", ("", "now", "at most", "aim"), _memory(directory))


def _speed(directory: Path, pem: Path, secure: bool) -> list[Sequence[str]]:
    how = "TLS" if secure else "plain"
    port = free_port()
    endpoint = f"ssl:{port}:interface=127.0.0.1:privateKey={pem}:certKey={pem}" if secure else (
        f"tcp:{port}:interface=127.0.0.1")  # fmt: skip
    options = ("--tls",) if secure else ()
    hellos, idles = [], []
    argv = (sys.executable, "-m", "scripts.benchmarks.hello", endpoint)
    with service(argv, port, directory / "hello.log"), _daemon(directory / how, pem, secure) as daemon:
        for turn in range(ROUNDS):
            progress(f"{how}, idle ({turn + 1} of {ROUNDS})")
            hellos.append(loaded(port, "/hello/world/status", *options))
            idles.append(daemon.load(5))
        progress(f"{how}, while a build and an upload run")
        hello, idle = _middle(hellos), _middle(idles)
        seconds = ("--seconds", str(BUSY_SECONDS))
        busy, busy_hello = _busy(directory, daemon, lambda: loaded(port, "/hello/world/status", *seconds, *options))
    return [
        (f"bare Klein, {how}", *_numbers(hello, hello), "", "", ""),
        (f"factory, {how}, idle", *_numbers(idle, hello), "", "", ">= 0.60 x Klein"),
        (f"factory, {how}, busy", *_numbers(busy, hello), ratio(busy.p99, idle.p99), ratio(busy.p99, busy_hello.p99),
         "p99 <= 3 x idle, <= 1.1 x busy Klein"),
        (f"bare Klein, {how}, busy", *_numbers(busy_hello, hello), ratio(busy_hello.p99, hello.p99), "", ""),
    ]  # fmt: skip


def _middle(answers: list[Answers]) -> Answers:
    return sorted(answers, key=lambda one: one.rate)[len(answers) // 2]


def _each_middle(answers: list[Answers]) -> Answers:
    """The middle of each number by itself."""
    rates, medians, p99s = (sorted(getattr(one, name) for one in answers) for name in ("rate", "median", "p99"))
    middle = len(answers) // 2
    return Answers(rates[middle], medians[middle], p99s[middle], sum(one.wrong for one in answers))


def _numbers(answers: Answers, klein: Answers) -> tuple[str, str, str, str]:
    assert not answers.wrong, f"{answers.wrong} answers were no success"
    times = (f"{answers.median * 1000:.1f} ms", f"{answers.p99 * 1000:.1f} ms")
    return f"{answers.rate:.0f}", ratio(answers.rate, klein.rate), *times


def _busy(directory: Path, daemon: Daemon, hello: Callable[[], Answers]) -> tuple[Answers, Answers]:
    """Under load: a cold build, and bodies that go into the daemon's warehouse one after the other.

    `hello` measures the other server on the same busy machine: in turns with the daemon, and either first as often as
    second, because one stage of a build leaves more of the machine than another.
    """
    body = directory / "body"
    with body.open("wb") as file:
        subprocess.run(["head", "-c", str(UPLOAD), "/dev/urandom"], stdout=file, check=True)
    build = {"template": TEMPLATE.read_text(), "targets": "rhevm"}
    status, answer = daemon.ask("POST", "/imagefactory/images", {"image": build})
    assert status == http.HTTPStatus.ACCEPTED, f"the build was not accepted: {status} {answer!r}"
    job = _job(answer)
    over = threading.Event()
    uploads = threading.Thread(target=_upload, args=(body, daemon.warehouse, over))
    uploads.start()
    try:
        time.sleep(2)
        _must_build(daemon, job)
        factories, hellos = [], []
        for turn in range(BUSY_ROUNDS):
            both = [lambda: factories.append(daemon.load(BUSY_SECONDS)), lambda: hellos.append(hello())]
            for measure_one in both if turn % 2 == 0 else reversed(both):
                measure_one()
        _must_build(daemon, job)
        return _each_middle(factories), _each_middle(hellos)
    finally:
        over.set()
        uploads.join()
        daemon.ask("DELETE", f"/imagefactory/builders/{job}")
        body.unlink()


def _must_build(daemon: Daemon, job: str) -> None:
    """Without a build that runs it is no measurement of a busy daemon."""
    _, answer = daemon.ask("GET", f"/imagefactory/builders/{job}")
    found = json.loads(answer)
    assert found["status"] == "BUILDING", f"the build does not run: {found['status']} {found['error']}"


def _upload(body: Path, port: int, over: threading.Event) -> None:
    base = f"http://127.0.0.1:{port}/bench"
    subprocess.run(["curl", "-sS", "-X", "PUT", base], check=True)
    while not over.is_set():
        subprocess.run(["curl", "-sS", "-o", "/dev/null", "-T", str(body), f"{base}/upload"], check=True)


def _memory(directory: Path) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []

    def row(name: str, daemon: Daemon, aim: str) -> None:
        rows.append((name, megabytes(resident(daemon.pid)), megabytes(high_water(daemon.pid)), aim))

    with _daemon(directory / "empty", None, secure=False) as daemon:
        row("no jobs", daemon, "")
        progress(f"{STREAMS} event streams")
        with _streams(daemon, STREAMS):
            row(f"{STREAMS} event streams", daemon, "< 200 MB")
    progress(f"{FINISHED} finished jobs")
    state = directory / "full" / "state"
    state.mkdir(parents=True)
    argv = (sys.executable, "-m", "scripts.benchmarks.records", str(state / "jobs.db"), str(FINISHED))
    subprocess.run(argv, check=True)
    with _daemon(directory / "full", None, secure=False) as daemon:
        row(f"{FINISHED} finished jobs", daemon, "< 200 MB")
        began = time.monotonic()
        _, answer = daemon.ask("GET", "/imagefactory/builders")
        row(f"... all listed in {time.monotonic() - began:.2f} s ({len(answer) / 1e6:.0f} MB)", daemon, "< 200 MB")
        began = time.monotonic()
        daemon.ask("GET", "/imagefactory/builders?limit=50")
        row(f"... 50 of them in {1000 * (time.monotonic() - began):.0f} ms", daemon, "< 200 MB")
    return rows


@contextmanager
def _streams(daemon: Daemon, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stream = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), 30))
            stream.sendall(b"GET /imagefactory/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in stream.recv(4096)[:20], "the stream was refused"
        daemon.ask("POST", "/imagefactory/images", {"image": {"template": MOCK, "targets": "mock"}})
        time.sleep(1)
        yield


MOCK = "<template><name>mock</name><os><name>Debian</name><version>12</version><arch>x86_64</arch>"
MOCK += f"<install type='url'><url>{PLACEHOLDER}</url></install></os></template>"


@contextmanager
def _daemon(place: Path, pem: Path | None, secure: bool) -> Iterator[Daemon]:
    (place / "images").mkdir(parents=True, exist_ok=True)
    (place / "state").mkdir(exist_ok=True)
    port, warehouse = free_port(), free_port()
    config = {"state_dir": str(place / "state"), "imgdir": str(place / "images"), "mirrors": {PLACEHOLDER: "apt:"}}
    (place / "factory.conf").write_text(json.dumps(config))
    argv = [program("imagefactory"), "--config", place / "factory.conf", "--rest", "--foreground", "--no_oauth"]
    argv += ["--address", "127.0.0.1", "--port", str(port), "--warehouse_port", str(warehouse)]
    argv += ["--ssl_pem", str(pem)] if secure else ["--no_ssl"]
    with service(argv, port, place / "log") as pid:
        daemon = Daemon(port, warehouse, pid, secure, "")
        _, answer = daemon.ask("POST", "/imagefactory/images", {"image": {"template": MOCK, "targets": "mock"}})
        time.sleep(1)
        yield Daemon(port, warehouse, pid, secure, _job(answer))


def _job(answer: bytes) -> str:
    document = json.loads(answer)
    return str(document.get("image", document)["build"]["target_images"][0]["id"])


def _connection(port: int, *, tls: bool) -> http.client.HTTPConnection:
    if tls:
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=unverified())
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)
