"""The warehouse against nginx with WebDAV and against the disk itself, and its metadata."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.benchmarks.load import loaded
from scripts.benchmarks.tables import megabytes, progress, ratio, show
from scripts.benchmarks.timing import Failed, free_port, high_water, must, processor_seconds, program, run, service

SIZE = 2 << 30
PIECE = 1 << 20
EVERY = 10  # of so many pieces one has data, in the sparse file
PARALLEL = 4
OBJECTS = 10_000
ROUNDS = 3

NGINX = """\
daemon off; master_process off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{}}
http {{
  access_log off; sendfile on; client_max_body_size 0; client_body_temp_path {directory}/bodies;
  proxy_temp_path {directory}/t1; fastcgi_temp_path {directory}/t2; scgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4;
  server {{ listen 127.0.0.1:{port}; root {directory}/files; dav_methods PUT DELETE; dav_access user:rw; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where one answers, its process, and what makes durable what it has stored, if it does not do that itself."""

    base: str
    pid: int
    flush: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds by the clock and of the server's processor time."""

    seconds: float
    cpu: float = 0
    size: int = SIZE

    def __str__(self) -> str:
        return f"{self.size / self.seconds / 1e6:.0f} MB/s"


def measure(directory: Path, *, install: bool) -> None:  # noqa: ARG001 - as all parts
    """Measure and print."""
    dense, sparse = directory / "dense", directory / "sparse"
    _fill(dense, sparse)
    with _ours(directory) as ours:
        with _nginx(directory) as theirs:
            bodies = _transfers([ours, *([theirs] if theirs else [])], dense)
        holes = _sparse(directory, ours, dense, sparse)
        memory = high_water(ours.pid)
    _show_bodies(bodies, _disk(directory, dense), holes, memory)
    dense.unlink()
    sparse.unlink()
    show("Metadata, 10,000 objects of 8 attributes", ("", "per second", "median", "p99", "aim"), _metadata(directory))


def _fill(dense: Path, sparse: Path) -> None:
    progress("making the files")
    with dense.open("wb") as file:
        subprocess.run(["head", "-c", str(SIZE), "/dev/urandom"], stdout=file, check=True)
    with sparse.open("wb") as file:
        file.truncate(SIZE)
        for place in range(0, SIZE, PIECE * EVERY):
            file.seek(place)
            file.write(random.randbytes(PIECE))
    os.sync()


@contextmanager
def _ours(directory: Path) -> Iterator[Server]:
    port, store = free_port(), directory / "store"
    store.mkdir()
    argv = (program("imagewarehouse"), "--foreground", "--port", str(port), "--path", store)
    config = directory / "warehouse.conf"
    config.write_text(f'{{"state_dir": "{directory}"}}')
    base = f"http://127.0.0.1:{port}/bench"
    try:
        with service((*argv, "--config", config), port, directory / "warehouse.log") as pid:
            _curl("-X", "PUT", base)
            yield Server(base, pid)
    finally:
        shutil.rmtree(store)


@contextmanager
def _nginx(directory: Path) -> Iterator[Server | None]:
    if not shutil.which("nginx"):
        print("- nginx is not installed (apt-get install nginx-light): nothing to compare with")
        yield None
        return
    place, port = directory / "nginx", free_port()
    (place / "files" / "bench").mkdir(parents=True)
    for path in (place, place / "files", place / "files" / "bench", directory):
        path.chmod(0o777)
    (place / "nginx.conf").write_text(NGINX.format(directory=place, port=port))
    argv = ("nginx", "-p", place, "-c", place / "nginx.conf")
    try:
        with service(argv, port, directory / "nginx.log") as pid:
            yield Server(f"http://127.0.0.1:{port}/bench", pid, os.sync)
    finally:
        shutil.rmtree(place)


def _transfers(servers: Sequence[Server], dense: Path) -> dict[str, list[Speed]]:
    """PUT and GET by curl, alone and in parallel; the servers take turns, so that both see the same machine."""
    progress("bodies")
    puts, synced, gets = ([[] for _ in servers] for _ in range(3))
    many, many_gets = [], []
    for _ in range(ROUNDS):
        for place, server in enumerate(servers):
            put = _speed(server, partial(_curl, "-T", str(dense), f"{server.base}/body"))
            flushed = _speed(server, server.flush)
            puts[place].append(put)
            synced[place].append(Speed(put.seconds + flushed.seconds, put.cpu))
        for place, server in enumerate(servers):
            gets[place].append(_speed(server, partial(_curl, f"{server.base}/body")))
    for server in servers:
        progress(f"{PARALLEL} bodies at once")
        many.append(
            _speed(server, lambda to=server: _parallel(lambda n: _curl("-T", str(dense), f"{to.base}/m{n}")), PARALLEL)
        )
        many_gets.append(_speed(server, lambda to=server: _parallel(lambda n: _curl(f"{to.base}/m{n}")), PARALLEL))
        for key in ("body", *(f"m{number}" for number in range(PARALLEL))):
            _curl("-X", "DELETE", f"{server.base}/{key}")
        os.sync()
    middle = {"PUT": puts, "PUT, durable": synced, "GET": gets}
    return {
        **{name: [_middle(every) for every in both] for name, both in middle.items()},
        f"{PARALLEL} PUT at once": many,
        f"{PARALLEL} GET at once": many_gets,
    }


def _put_part(server: Server, dense: Path, number: int) -> None:
    _curl("-T", str(dense), f"{server.base}/m{number}")


def _get_part(server: Server, number: int) -> None:
    _curl(f"{server.base}/m{number}")


def _speed(server: Server, work: Callable[[], object], times: int = 1) -> Speed:
    before = processor_seconds(server.pid)
    seconds = _timed(work)
    return Speed(seconds, processor_seconds(server.pid) - before, times * SIZE)


def _middle(speeds: Sequence[Speed]) -> Speed:
    return sorted(speeds, key=lambda speed: speed.seconds)[len(speeds) // 2]


def _curl(*argv: str) -> None:
    done = subprocess.run(
        ["curl", "-sS", "--fail", "-o", "/dev/null", *argv], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"curl {' '.join(argv)}: {done.stderr}")


def _parallel(transfer: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(transfer, range(PARALLEL)))


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _disk(directory: Path, dense: Path) -> dict[str, Speed]:
    progress("the disk itself")
    copy = directory / "copy"

    def write() -> None:
        subprocess.run(["dd", f"if={dense}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"], check=True)

    def read() -> None:
        subprocess.run(["dd", f"if={dense}", "of=/dev/null", "bs=1M", "status=none"], check=True)

    try:
        writes = [Speed(_timed(write)) for _ in range(ROUNDS)]
        return {"PUT, durable": _middle(writes), "GET": Speed(_timed(read))}
    finally:
        copy.unlink()


def _sparse(directory: Path, server: Server, dense: Path, sparse: Path) -> dict[str, float]:
    """Seconds by our own client, which leaves holes out, and by curl, which knows nothing of them."""
    progress("ours: holes")
    seconds = {}
    for name, file in (("dense", dense), ("sparse", sparse)):
        argv = (sys.executable, "-m", "scripts.benchmarks.client", server.base, file, directory)
        output = must(run(*argv, directory=directory)).output.split()
        seconds[f"{name} PUT"], seconds[f"{name} GET"] = float(output[-2]), float(output[-1])
    url = f"{server.base}/plain"
    seconds["curl PUT"] = _timed(lambda: _curl("-T", str(sparse), url))
    seconds["curl GET"] = _timed(lambda: _curl(url))
    return seconds


def _show_bodies(bodies: dict[str, list[Speed]], disk: dict[str, Speed], holes: dict[str, float], memory: int) -> None:
    rows = []
    for name, (ours, *others) in bodies.items():
        theirs = others[0] if others else None
        times = f"{theirs.seconds / ours.seconds:.2f} x" if theirs else ""
        cpu = f"{ours.cpu:.1f} s", f"{theirs.cpu:.1f} s" if theirs else ""
        rows.append((name, str(ours), str(theirs or ""), times, str(disk.get(name, "")), *cpu, ">= 0.80 x"))
    head = ("", "warehouse", "nginx", "of nginx", "disk alone", "its processor", "nginx's", "aim")
    show("Bodies of 2 GiB by curl", head, rows)
    lines = []
    for verb in ("PUT", "GET"):
        full, part = holes[f"dense {verb}"], holes[f"sparse {verb}"]
        lines.append((f"{verb} by our client", f"{full:.2f} s", f"{part:.2f} s", ratio(full, part), ">= 5 x"))
        lines.append((f"{verb} by curl", "", f"{holes[f'curl {verb}']:.2f} s", "", ""))
    show("2 GiB with 10 % data, against full", ("", "full", "sparse", "faster", "aim"), lines)
    print(f"Peak memory of the server: {megabytes(memory)} (aim: < 120 MB)\n")


def _metadata(directory: Path) -> list[Sequence[str]]:
    with _ours(directory) as server:
        progress(f"{OBJECTS} objects")
        port = int(server.base.split(":")[2].partition("/")[0])
        made = loaded(
            port, "/meta", "--method", "POST", "--body", FORM, "--numbers", str(OBJECTS), "--count", str(OBJECTS)
        )
        numbers = ("--numbers", str(OBJECTS))
        read = loaded(port, "/meta/k{}/owner", *numbers)
        everything = loaded(port, "/meta/k{}/_attrs?values=1", *numbers)
        some = loaded(port, "/meta/_query", "--method", "POST", "--body", QUERY, *numbers)
        one = loaded(port, "/meta/_query", "--method", "POST", "--body", QUERY, *numbers, "--connections", "1")
        memory = high_water(server.pid)
    names = ("set 8 attributes", "read an attribute", "read all of an object", "query, 8 connections", "query, one")
    rows: list[Sequence[str]] = []
    for name, answers in zip(names, (made, read, everything, some, one), strict=True):
        assert not answers.wrong, f"{name}: {answers.wrong} answers were no success"
        aim = "< 10 ms" if name == "query, one" else ""
        median, p99 = f"{answers.median * 1000:.1f} ms", f"{answers.p99 * 1000:.1f} ms"
        rows.append((name, f"{answers.rate:.0f}", median, p99, aim))
    rows.append(("peak memory of the server", megabytes(memory), "", "", "< 120 MB"))
    return rows


FORM = "_key=k{}&build=b{}&target=rhevm&owner=o{}&arch=x86_64&version=1&template=t{}&state=done&size=2147483648"
QUERY = '$build == "b{}" && $target == "rhevm"'
