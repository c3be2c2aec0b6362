"""Running programs and seeing what they cost."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOON = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program and its children took: seconds by the clock, of processor time, and the most memory (bytes) the
    program itself ever had."""

    wall: float
    cpu: float
    memory: int
    status: int
    output: str


class Failed(Exception):
    """A program that has to succeed did not."""


def run(
    *argv: str | Path,
    directory: Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 1800,
    apart: bool = False,
) -> Cost:
    """Run it to its end, in a process group of its own that is ended with it.

    `apart`: what it mounts is nowhere else to be seen, and gone with it.
    """
    log = directory / "output.log"
    given = directory / "input"
    given.write_bytes(stdin)
    began = time.monotonic()
    front = ("unshare", "--mount", "--") if apart else ()
    with log.open("wb") as output, given.open("rb") as source:
        process = subprocess.Popen(
            [*front, *map(str, argv)], stdin=source, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, **(env or {})}, cwd=cwd,
        )  # fmt: skip
        try:
            memory, status, usage = _watched(process.pid, began + timeout)
        finally:
            _end_group(process)
    process.returncode = status
    output_text = log.read_text(errors="replace")
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, memory, status, output_text)


def install_packages(packages: Sequence[str], directory: Path) -> Cost:
    """Install what is missing of some Debian packages; needs to be root."""
    states = run("dpkg-query", "-W", "-f", "${db:Status-Status} ", *packages, directory=directory)
    if states.output.split() == ["installed"] * len(packages):
        return states
    updated = run("apt-get", "update", "-q", directory=directory)  # old lists name files that are gone
    if updated.status:
        return updated
    argv = ("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages)
    return run(*argv, directory=directory, env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"})


def must(cost: Cost) -> Cost:
    """The cost of a program that has to succeed; raises Failed."""
    if cost.status:
        raise Failed(f"exit status {cost.status}\n{cost.output[-8000:]}")
    return cost


def _watched(pid: int, deadline: float) -> tuple[int, int, resource.struct_rusage]:
    memory = 0
    while True:
        memory = max(memory, high_water(pid))
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return memory, os.waitstatus_to_exitcode(status), usage
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGTERM)
            deadline += 30
        time.sleep(SOON)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def high_water(pid: int) -> int:
    """The most memory (bytes, resident) a process ever had; 0 if it is gone."""
    return _status(pid, "VmHWM:")


def resident(pid: int) -> int:
    """The memory (bytes) a process has now."""
    return _status(pid, "VmRSS:")


def _status(pid: int, field: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = text.partition(field)[2].split()
    return int(found[0]) * 1024 if found else 0


def processor_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port of the loopback interface without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def service(argv: Sequence[str | Path], port: int, log: Path, *, patience: float = 60) -> Iterator[int]:
    """A server while it is needed; the value is its process id. It is ended with SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await_port(process, port, log, patience)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _end_group(process)


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"no listener came up: {log.read_text(errors='replace')[-2000:]}") from None
        time.sleep(SOON)


def program(name: str) -> Path:
    """One of our own commands, of this Python environment."""
    return Path(sys.executable).parent / name
