"""Where passwords of a real build and push can be found: in the image and in the template's record, nowhere else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from imagefactory.lib.process.journal import VARIABLE
from tests.functional.daemon import DaemonCase
from tests.functional.tinyos import template

ROOT, USER = "root-hush-4711", "user-hush-4711"
CREDENTIALS = f"""\
<provider_credentials>
  <mock_credentials><username>me</username><password>{USER}</password></mock_credentials>
</provider_credentials>
"""


class Spy:
    """Looks at arguments and environments of all processes, again and again, until `stop` is called.

    `children` are those that it has seen with `mark` in their environment.
    """

    def __init__(self, mark: str, *words: str) -> None:
        self._mark = mark.encode()
        self._words = [word.encode() for word in words]
        self._done = threading.Event()
        self.found: set[str] = set()
        self.children: set[str] = set()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            for name in os.listdir("/proc"):
                if name.isdecimal():
                    self._search(name)

    def _search(self, pid: str) -> None:
        try:
            environment = Path("/proc", pid, "environ").read_bytes()
            data = Path("/proc", pid, "cmdline").read_bytes() + environment
        except OSError:  # it is gone, or a zombie
            return
        self.found.update(f"{pid}: {data!r}" for word in self._words if word in data)
        if self._mark in environment:
            self.children.add(pid)


class SecretsTests(DaemonCase):
    """A daemon builds with a root password, and pushes with credentials."""

    system = True

    def test_no_trace(self) -> None:
        """Not in any argv or environment, not in log, job store or journal, while it runs and afterwards."""
        self.configure(debug=True)
        self.rest("--debug")
        spy = Spy(f"{VARIABLE}=", ROOT, USER)
        self.addCleanup(spy.stop)
        tdl = template(size="96M", commands=("sleep 3",)).replace("</os>", f"<rootpw>{ROOT}</rootpw></os>")
        answer = self.ask("POST", "/images", json={"template": tdl, "targets": "mock"}).json()
        image = answer["build"]["target_images"][0]["id"]
        self.soon(lambda: self.ended(image), "no end", 120)
        self.assertEqual(self.job(image)["status"], "COMPLETED", self.log)
        wish = {"provider": "mock-1", "credentials": CREDENTIALS, "target_image_id": image}
        pushed = self.ask("POST", "/provider_images", json=wish).json()["id"]
        self.soon(lambda: self.ended(pushed), "no end", 60)
        self.assertEqual(self.job(pushed)["status"], "COMPLETED", self.log)
        spy.stop()
        self.assertEqual(spy.found, set())
        self.assertNotEqual(spy.children, set())
        self.assertEqual([str(path) for path in self.places() if holds(path, ROOT, USER)], [])

    def ended(self, id: str) -> bool:
        """Whether a job has."""
        return self.job(id)["status"] in {"COMPLETED", "FAILED"}

    def places(self) -> Iterator[Path]:
        """All files of the daemon but the bodies of the warehouse: the template has the password, as it was given."""
        for path in self.directory.rglob("*"):
            if path.is_file() and "blobs" not in path.parts:
                yield path


def holds(path: Path, *words: str) -> bool:
    """Whether a file has one of the words in it."""
    data = path.read_bytes()
    return any(word.encode() in data for word in words)
