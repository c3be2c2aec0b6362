"""The servers that the warehouse is measured with: our own, and Debian's nginx with WebDAV."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.tables import progress
from scripts.benchmarks.timing import Failed, free_port, install_packages, program, service

_PACKAGE = "nginx"
_NGINX = """\
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


@contextmanager
def ours(directory: Path) -> Iterator[Server]:
    """Our own one, with an empty store."""
    port, store = free_port(), directory / "store"
    store.mkdir()
    argv = (program("imagewarehouse"), "--foreground", "--port", str(port), "--path", store)
    config = directory / "warehouse.conf"
    config.write_text(f'{{"state_dir": "{directory}"}}')
    base = f"http://127.0.0.1:{port}/bench"
    try:
        with service((*argv, "--config", config), port, directory / "warehouse.log") as pid:
            curl("-X", "PUT", base)
            yield Server(base, pid)
    finally:
        shutil.rmtree(store)


@contextmanager
def nginx(directory: Path, *, install: bool) -> Iterator[list[Server]]:
    """nginx; none, with a line that says why, where there is no nginx that takes PUT."""
    if install and not _found():
        progress(f"installing {_PACKAGE}")
        cost = install_packages((_PACKAGE,), directory)
        if cost.status:
            print(f"- {_PACKAGE} cannot be installed: {(cost.output.splitlines() or ['no reason given'])[-1]}")
    if reason := _unfit():
        print(f"- no ratio to nginx: {reason}")
        yield []
        return
    place, port = directory.absolute() / "nginx", free_port()
    (place / "files" / "bench").mkdir(parents=True)
    (place / "nginx.conf").write_text(_NGINX.format(directory=place, port=port))
    argv = (_found(), "-p", place, "-c", place / "nginx.conf")
    try:
        with service(argv, port, directory / "nginx.log") as pid:
            yield [Server(f"http://127.0.0.1:{port}/bench", pid, os.sync)]
    finally:
        shutil.rmtree(place)


def _found() -> str:
    return shutil.which("nginx") or ""


def _unfit() -> str:
    """Why there is nothing to compare with; empty if there is."""
    if not _found():
        return f"it is not installed (scripts/bench --install warehouse, or apt-get install {_PACKAGE})"
    built = subprocess.run([_found(), "-V"], capture_output=True, text=True, check=False).stderr
    return "" if "--with-http_dav_module" in built else "this one is built without its WebDAV module"


def curl(*argv: str) -> None:
    """A transfer that must succeed."""
    done = subprocess.run(
        ["curl", "-sS", "--fail", "-o", "/dev/null", *argv], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"curl {' '.join(argv)}: {done.stderr}")
