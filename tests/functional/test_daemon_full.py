"""A daemon whose state directory fills up: it says so, goes on answering, and works on when there is room again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

import requests
from twisted.trial.unittest import SkipTest

from tests.functional.daemon import CREDENTIALS, MOCK, DaemonCase

KIB = 1 << 10
MIB = 1 << 20
#: Between these two, something of a build finds room, and something else does not.
STEPS = [*range(0, 96, 4), *range(96, 400, 32)]


class FullTests(DaemonCase):
    """One daemon whose state directory is a small file system."""

    def setUp(self) -> None:
        super().setUp()
        self.state.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(self.state)]
        if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            raise SkipTest("only root can mount a small file system")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(self.state)], check=True)
        (self.directory / "daemon.log").symlink_to(self.state / "daemon.log")
        self.rest()

    def fill(self, leave: int = 0) -> None:
        """Take all room of the file system but so many bytes."""
        with (self.state / "filler").open("ab", buffering=0) as file:
            for block in (MIB, 4 * KIB, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * block) == block:
                        pass
            file.truncate(max(0, file.tell() - leave))

    def make_room(self) -> None:
        """Make room, as an administrator would."""
        (self.state / "filler").unlink()

    def ask_build(self) -> requests.Response:
        """Ask for a build, and not wait for ever."""
        return self.ask("POST", "/images", json={"image": {"targets": "mock", "template": MOCK}}, timeout=20)

    def refused(self, answer: requests.Response) -> None:
        """It says that there is no room, where, and what helps."""
        self.assertEqual(answer.status_code, 507, answer.text)
        document = answer.json()
        self.assertIn("no space", document["error"])
        self.assertIn(str(self.state), document["error"])
        self.assertTrue(document["hint"], document)

    def test_what_is_asked_of_a_full_one(self) -> None:
        """What adds is refused, what reads or removes is answered; with room again all goes on."""
        built = self.build()
        self.until(built, status="COMPLETED")
        image = self.job(built)["image_id"]
        other = self.until(self.build(), status="COMPLETED")["image_id"]
        self.fill()
        push = {"provider": "mock-1", "credentials": CREDENTIALS, "target_image_id": built}
        self.refused(self.ask_build())
        self.refused(self.ask("POST", "/provider_images", json=push))
        for path in ("/images", f"/images/{image}", f"/builders/{built}", f"/builders/{built}/log", "/builders"):
            self.assertEqual(self.ask("GET", path).status_code, 200, path)
        self.assertEqual(self.ask("DELETE", f"/images/{other}").status_code, 204)
        self.make_room()
        self.until(self.build(), status="COMPLETED")
        self.until(self.ask("POST", "/provider_images", json=push).json()["id"], status="COMPLETED")
        self.assertEqual(self.ask("DELETE", f"/images/{image}").status_code, 204)
        self.assertNotIn("Traceback", self.log)

    def test_room_for_a_part_of_it(self) -> None:
        """Wherever a build finds no room, it is refused, or fails and says so; what was accepted is known for good."""
        accepted: dict[str, Any] = {}
        for room in STEPS:
            self.fill(room * KIB)
            answer = self.ask_build()
            if answer.status_code == 202:
                id = answer.json()["build"]["target_images"][0]["id"]
                self.soon(lambda id=id: self.job(id)["status"] in {"COMPLETED", "FAILED"}, f"{id} does not end", 30)
                accepted[id] = self.job(id)
            else:
                self.refused(answer)
        self.make_room()
        self.until(self.build(), status="COMPLETED")
        self.stop(signal.SIGKILL)
        self.rest()
        for id, job in accepted.items():
            self.assertEqual((self.job(id)["status"], self.job(id)["error"]), (job["status"], job["error"]))
        self.assertNotIn("Traceback", self.log)

    def test_a_start_on_a_full_one(self) -> None:
        """Says that there is no room; with room it starts, and knows all jobs."""
        built = self.build()
        job = self.until(built, status="COMPLETED")
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.stop(number)
            self.fill()
            done = self.command("--rest", status=1)
            self.assertNotIn("Traceback", done.err)
            self.assertIn("no space", done.err.lower())
            self.make_room()
            self.rest()
            self.assertEqual({**self.job(built), "href": job["href"]}, job)
        self.stop()
