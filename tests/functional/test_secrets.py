"""Where passwords of a real build and push can be found: in the image and in the template's record, nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from imagefactory.process.proc import everybody
from tests.functional.daemon import DaemonCase
from tests.functional.tinyos import template

ROOT, USER = "root-hush-4711", "user-hush-4711"
CREDENTIALS = f"""\
<provider_credentials>
  <mock_credentials><username>me</username><password>{USER}</password></mock_credentials>
</provider_credentials>
"""


class Spy:
    """Looks at arguments and environments of all processes, again and again, until it is told to stop."""

    def __init__(self, *words: str) -> None:
        self._words = [word.encode() for word in words]
        self._done = threading.Event()
        self.found: set[str] = set()
        self.looks = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self.looks += 1
            for one in everybody():
                for name in ("cmdline", "environ"):
                    self._search(Path("/proc") / str(one.pid) / name)

    def _search(self, path: Path) -> None:
        try:
            data = path.read_bytes()
        except OSError:  # it is gone, or a zombie
            return
        self.found.update(f"{path}: {data!r}" for word in self._words if word in data)


class SecretsTests(DaemonCase):
    """A daemon builds with a root password, and pushes with credentials."""

    system = True

    def test_no_trace(self) -> None:
        """Not in any argv or environment, not in log, job store or journal, while it runs and afterwards."""
        self.configure(debug=True)
        self.rest("--debug")
        spy = Spy(ROOT, USER)
        self.addCleanup(spy.stop)
        tdl = template(size="96M", commands=("sleep 1",)).replace("</os>", f"<rootpw>{ROOT}</rootpw></os>")
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
        self.assertGreater(spy.looks, 10)
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
