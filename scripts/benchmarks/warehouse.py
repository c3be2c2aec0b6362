"""The warehouse against nginx with WebDAV and against the disk itself, and its metadata."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.benchmarks.load import loaded
from scripts.benchmarks.memory import UsedMemory
from scripts.benchmarks.servers import Server, curl, nginx, ours
from scripts.benchmarks.tables import megabytes, progress, ratio, show
from scripts.benchmarks.timing import high_water, must, processor_seconds, run

SIZE = 2 << 30
PIECE = 1 << 20
EVERY = 10  # of so many pieces one has data, in the sparse file
PARALLEL = 4
PART = SIZE // PARALLEL  # so that those at once weigh as much as the one
OBJECTS = 10_000
ROUNDS = 3
AIM = ">= 0.80 x"


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds by the clock and of the server's processor time."""

    seconds: float
    cpu: float = 0

    def __str__(self) -> str:
        return f"{SIZE / self.seconds / 1e6:.0f} MB/s"


@dataclass(frozen=True, slots=True)
class Holes:
    """Seconds by verb and file; the most memory that our client took."""

    client: Mapping[str, float]
    curl: Sequence[Mapping[str, float]]  # by server
    memory: int


ImageWriter = Mapping[str, Sequence[Speed]]
"""By what was done, one per server."""


def measure(directory: Path, *, install: bool) -> None:
    """Measure and print."""
    dense, sparse = directory / "dense", directory / "sparse"
    parts = [directory / f"part{number}" for number in range(PARALLEL)]
    _fill(dense, sparse, parts)
    with ours(directory) as own:
        with nginx(directory, install=install) as others:
            servers = [own, *others]
            used = UsedMemory(directory)
            bodies = _transfers(servers, dense, used) | _at_once(servers, parts, used)
            holes = _sparse(directory, servers, dense, sparse, used)
            used.close()
        memory = high_water(own.pid)
    _show_bodies(bodies, _disk(directory, dense, partial(_copy, "--sparse=never")))
    _show_holes(holes, _disk(directory, sparse, partial(_copy, "--sparse=always")))
    print(f"Peak memory of the server: {megabytes(memory)}, of our client: {megabytes(holes.memory)} (aim: < 120 MB)\n")
    for file in (dense, sparse, *parts):
        file.unlink()
    title = f"Metadata, {OBJECTS:,} objects of 8 attributes"
    show(title, ("", "per second", "median", "p99", "aim"), _metadata(directory))


def _fill(dense: Path, sparse: Path, parts: Sequence[Path]) -> None:
    progress("making the files")
    for file, size in ((dense, SIZE), *((part, PART) for part in parts)):
        with file.open("wb") as opened:
            subprocess.run(["head", "-c", str(size), "/dev/urandom"], stdout=opened, check=True)
    with sparse.open("wb") as opened:
        opened.truncate(SIZE)
        for place in range(0, SIZE, PIECE * EVERY):
            opened.seek(place)
            opened.write(random.randbytes(PIECE))
    os.sync()


def _transfers(servers: Sequence[Server], dense: Path, memory: UsedMemory) -> dict[str, list[Speed]]:
    """PUT and GET by curl; the servers take turns, so that both see the same machine."""

    def measured(server: Server) -> dict[str, Speed]:
        memory.fill()
        put, safe = _stored(server, partial(curl, "-T", str(dense), f"{server.base}/body"))
        get = _speed(server, partial(curl, f"{server.base}/body"))
        curl("-X", "DELETE", f"{server.base}/body")
        return {"PUT": put, "PUT, durable": safe, "GET": get}

    return _rounds("one body", servers, measured)


def _rounds(
    what: str, servers: Sequence[Server], measured: Callable[[Server], dict[str, Speed]]
) -> dict[str, list[Speed]]:
    """The middle of several rounds; in each another server comes first."""
    rounds = []
    for number in range(ROUNDS):
        progress(f"{what}, round {number + 1} of {ROUNDS}")
        order = list(range(len(servers)))[:: -1 if number % 2 else 1]
        found = {at: measured(servers[at]) for at in order}
        rounds.append({name: [found[at][name] for at in range(len(servers))] for name in found[0]})
    return _middles(rounds)


def _at_once(servers: Sequence[Server], parts: Sequence[Path], memory: UsedMemory) -> dict[str, list[Speed]]:
    """The same with different bodies in parallel, each time into an empty bucket."""

    def measured(server: Server) -> dict[str, Speed]:
        memory.fill()
        put, safe = _stored(server, lambda: _parallel(parts, partial(_send, server)))
        get = _speed(server, lambda: _parallel(parts, partial(_fetch, server)))
        _parallel(parts, lambda part: curl("-X", "DELETE", f"{server.base}/{part.name}"))
        names = (f"{PARALLEL} PUT at once", f"{PARALLEL} PUT at once, durable", f"{PARALLEL} GET at once")
        return dict(zip(names, (put, safe, get), strict=True))

    return _rounds(f"{PARALLEL} bodies at once", servers, measured)


def _send(server: Server, part: Path) -> None:
    curl("-T", str(part), f"{server.base}/{part.name}")


def _fetch(server: Server, part: Path) -> None:
    curl(f"{server.base}/{part.name}")


def _parallel(parts: Sequence[Path], transfer: Callable[[Path], None]) -> None:
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(transfer, parts))


def _stored(server: Server, work: Callable[[], object]) -> tuple[Speed, Speed]:
    """Until it is answered, and until it is on the disk."""
    put = _speed(server, work)
    return put, Speed(put.seconds + _timed(server.flush), put.cpu)


def _speed(server: Server, work: Callable[[], object]) -> Speed:
    before = processor_seconds(server.pid)
    seconds = _timed(work)
    return Speed(seconds, processor_seconds(server.pid) - before)


def _middles(rounds: Sequence[ImageWriter]) -> dict[str, list[Speed]]:
    """The middle round of each, for each server."""
    return {
        name: [_middle(speeds) for speeds in zip(*(results[name] for results in rounds), strict=True)]
        for name in rounds[0]
    }


def _middle(speeds: Sequence[Speed]) -> Speed:
    return sorted(speeds, key=lambda speed: speed.seconds)[len(speeds) // 2]


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _copy(how: str, source: Path, target: Path) -> None:
    subprocess.run(["cp", "--reflink=never", how, source, target], check=True)
    subprocess.run(["sync", target], check=True)


def _disk(directory: Path, source: Path, copy: Callable[[Path, Path], None]) -> dict[str, float]:
    """Seconds to copy a file until it is on the disk, and to read it, from the page cache as the servers do."""
    progress("the disk itself")
    target = directory / "copy"
    writes = []
    for _ in range(ROUNDS):
        target.unlink(missing_ok=True)
        writes.append(_timed(lambda: copy(source, target)))
    read = partial(subprocess.run, ["dd", f"if={target}", "of=/dev/null", "bs=1M", "status=none"], check=True)
    reads = [_timed(read) for _ in range(ROUNDS)]
    target.unlink()
    return {"PUT": sorted(writes)[ROUNDS // 2], "GET": sorted(reads)[ROUNDS // 2]}


def _sparse(directory: Path, servers: Sequence[Server], dense: Path, sparse: Path, used: UsedMemory) -> Holes:
    """By our own client, which leaves holes out, and by curl, which knows nothing of them."""
    progress("holes")
    seconds, memory = {}, 0
    for name, file in (("full", dense), ("sparse", sparse)):
        argv = (sys.executable, "-m", "scripts.benchmarks.client", servers[0].base, file, directory)
        used.fill()
        cost = must(run(*argv, directory=directory))
        words = cost.output.split()
        memory = max(memory, cost.memory)
        seconds[f"{name} PUT"], seconds[f"{name} GET"] = float(words[-2]), float(words[-1])
    return Holes(seconds, [_by_curl(f"{server.base}/sparse", sparse) for server in servers], memory)


def _by_curl(url: str, file: Path) -> dict[str, float]:
    seconds = {"PUT": _timed(partial(curl, "-T", str(file), url)), "GET": _timed(partial(curl, url))}
    curl("-X", "DELETE", url)
    return seconds


def _show_bodies(bodies: ImageWriter, disk: Mapping[str, float]) -> None:
    rows = []
    for name, (own, *others) in bodies.items():
        theirs = others[0] if others else None
        alone = disk["GET" if "GET" in name else "PUT"]
        rows.append(
            (
                name,
                str(own),
                str(theirs or "-"),
                ratio(theirs.seconds, own.seconds) if theirs else "-",
                ratio(alone, own.seconds),
                f"{own.cpu:.1f} s",
                f"{theirs.cpu:.1f} s" if theirs else "-",
                AIM if "durable" not in name else "",
            )
        )
    head = ("", "warehouse", "nginx", "of nginx", "of the disk", "its processor", "nginx's", "aim (of nginx)")
    show(
        f"Bodies of {_gib(SIZE)} by curl, {PARALLEL} at once of {_gib(PART)} each; GET from the page cache", head, rows
    )
    print(
        "Our PUT is on the disk when it is answered, nginx's is not: `durable` is with a sync after it. The disk alone "
        f"is a copy with fsync ({SIZE / disk['PUT'] / 1e6:.0f} MB/s) and a read from the page cache "
        f"({SIZE / disk['GET'] / 1e6:.0f} MB/s). Before each PUT all memory is full of the page cache of other "
        "files."
    )


def _show_holes(holes: Holes, disk: Mapping[str, float]) -> None:
    rows = []
    for verb in ("PUT", "GET"):
        full, part = holes.client[f"full {verb}"], holes.client[f"sparse {verb}"]
        alone = ratio(disk[verb], part)
        rows.append(
            (f"{verb} by our client", f"{full:.2f} s", f"{part:.2f} s", ratio(full, part), alone, "-", ">= 5 x")
        )
        own, *others = (seconds[verb] for seconds in holes.curl)
        of_nginx = ratio(others[0], own) if others else "-"
        rows.append((f"{verb} by curl", "-", f"{own:.2f} s", "-", ratio(disk[verb], own), of_nginx, ""))
    head = ("", "full", "sparse", "full/sparse", "of the disk", "of nginx", "aim (full/sparse)")
    show(f"{_gib(SIZE)} with {100 // EVERY} % data, against full", head, rows)


def _gib(size: int) -> str:
    return f"{size / (1 << 30):g} GiB"


def _metadata(directory: Path) -> list[Sequence[str]]:
    with ours(directory) as server:
        progress(f"{OBJECTS} objects")
        port = int(server.base.split(":")[2].partition("/")[0])
        numbers = ("--numbers", str(OBJECTS))
        made = loaded(port, "/meta", "--method", "POST", "--body", FORM, *numbers, "--count", str(OBJECTS))
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
