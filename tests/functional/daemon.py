"""A daemon as a process of its own, the way users start it, and a client of it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import requests
from requests_oauthlib import OAuth1

from imagefactory.lib.process.proc import stat
from tests.functional.command import CommandCase, Running
from tests.functional.tinyos import TREE

CLIENT = ("tester", "not so secret")
MOCK = "<template><name>demo</name></template>"
CREDENTIALS = (
    "<provider_credentials><mock_credentials><username>me</username></mock_credentials></provider_credentials>"
)
METERED = str(Path(__file__).with_name("metered.py"))
ANSWERS = "the REST API answers on "


class DaemonCase(CommandCase):
    """Starts daemons that are gone when the test is; each has the same configuration."""

    system = False
    """Whether templates with an operating system are built."""

    signs_reads = False
    """Whether requests that change nothing are signed, too."""

    def setUp(self) -> None:
        super().setUp()
        self.turns = self.directory / "turns"
        self.addCleanup(self._check_turns)
        self.addCleanup(self._end)

    def start(self, *arguments: str, **environment: str) -> Running:
        """Start the command; no turn of its reactor may take long."""
        argv = (sys.executable, METERED, str(self.turns), "--config", str(self.config), *arguments)
        running = Running(argv, {**os.environ, **environment})
        self.addCleanup(running.kill)
        return running

    def _check_turns(self) -> None:
        self.assertEqual(self.turns.read_text() if self.turns.exists() else "", "")

    def configure(self, **changes: object) -> None:
        """Write the configuration."""
        settings: dict[str, object] = {
            "state_dir": str(self.state),
            "imgdir": str(self.imgdir),
            "tmpdir": str(self.imgdir),
            "address": "127.0.0.1",
            "port": 0,
            "warehouse_port": 0,
            "ssl_keep": True,
            "clients": dict([CLIENT]),
            "pid_file": str(self.directory / "daemon.pid"),
            "log_file": str(self.directory / "daemon.log"),
            **({"mirrors": {TREE: self.tiny.url}} if self.system else {}),
            **changes,
        }
        self.config.touch(0o600)
        self.config.write_text(json.dumps(settings))

    @property
    def log(self) -> str:
        """The log file so far."""
        path = self.directory / "daemon.log"
        return path.read_text() if path.exists() else ""

    @property
    def pid(self) -> int:
        """Of the daemon in the background."""
        return int((self.directory / "daemon.pid").read_text().split()[0])

    @property
    def url(self) -> str:
        """Where the last daemon answers."""
        found: str = re.findall(rf"{ANSWERS}(https?://[^/]+)", self.log)[-1]
        return found

    def rest(self, *arguments: str) -> None:
        """Start a daemon in the background and wait until it answers."""
        before = self.log.count(ANSWERS)
        self.command("--rest", *arguments)
        self.soon(lambda: self.log.count(ANSWERS) > before, "never answered")

    def foreground(self, *arguments: str, **environment: str) -> Running:
        """Start a daemon in the foreground and wait until it answers."""
        running = self.start("--rest", "--foreground", *arguments, **environment)
        running.until(ANSWERS)
        return running

    def ask(self, method: str, path: str, *, signed: bool = True, **more: Any) -> requests.Response:
        """One request of a client that trusts the kept certificate; `path` begins below /imagefactory."""
        options = {"timeout": 60, "verify": str(self.state / "rest.crt"), **more}
        if signed and (method != "GET" or self.signs_reads):
            options.setdefault("auth", OAuth1(*CLIENT))
        return requests.request(method, f"{self.url}/imagefactory{path}", **options)

    def job(self, id: str) -> dict[str, Any]:
        """A job as REST shows it."""
        found: dict[str, Any] = self.ask("GET", f"/builders/{id}").json()
        return found

    def build(self, template: str = MOCK, targets: str = "mock") -> str:
        """Ask for a build; the id of its (first) job."""
        answer = self.ask("POST", "/images", json={"image": {"targets": targets, "template": template}})
        self.assertEqual(answer.status_code, 202, answer.text)
        id: str = answer.json()["build"]["target_images"][0]["id"]
        return id

    def until(self, id: str, **fields: str) -> dict[str, Any]:
        """Wait until a job has these fields (as parts of them)."""
        late = time.monotonic() + 90
        while not _has(job := self.job(id), fields):
            ended = job["status"] in {"COMPLETED", "FAILED"}
            if ended or time.monotonic() > late:
                log = self.ask("GET", f"/builders/{id}/log").text
                self.fail(f"not {fields}: {job}\n{log}\n{self.log[-2000:]}")
            threading.Event().wait(0.05)
        return job

    def stop(self, number: int = signal.SIGTERM, limit: float = 40) -> None:
        """End the daemon in the background and wait for that."""
        pid = self.pid
        os.kill(pid, number)
        self.soon(lambda: gone(pid), f"still there: {self.log[-2000:]}", limit)

    def _end(self) -> None:
        path = self.directory / "daemon.pid"
        if path.exists() and not gone(self.pid) and _is_ours(self.pid, self.config):
            self.stop(signal.SIGKILL)


def _has(job: dict[str, Any], fields: dict[str, str]) -> bool:
    return all(text in str(job[name]) for name, text in fields.items())


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    found = stat(pid)
    return found is None or found.dead


def _is_ours(pid: int, config: Path) -> bool:
    return str(config).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
