"""Jobs over the end of their daemon: in good order, and by kill -9 wherever they are."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import requests

from tests.functional.daemon import CREDENTIALS, DaemonCase
from tests.functional.tinyos import template

STOPPED = "the daemon was stopped"


def hanging(number: int) -> str:
    """A template whose build does not end by itself."""
    return template(commands=(f"echo busy{number}; sleep {600 + number}",), size="96M")


class SystemCase(DaemonCase):
    """Builds systems."""

    system = True

    def busy(self, id: str) -> None:
        """Wait until a hanging build hangs."""
        self.soon(lambda: "busy" in self.ask("GET", f"/builders/{id}/log").text, f"{self.job(id)}", 90)


class StopTests(SystemCase):
    """SIGTERM."""

    def test_while_three_builds_run(self) -> None:
        """It ends in bounded time without children; running jobs are FAILED and can be retried, queued ones go on."""
        self.configure(max_concurrent_local_sessions=3)
        self.rest()
        running = [self.build(hanging(number), "rhevm") for number in (1, 2, 3)]
        first, last = running[0], self.build(template(commands=("echo quick",), size="96M"), "rhevm")
        for id in running:
            self.busy(id)
        waiting = self.job(last)
        self.assertEqual((waiting["status"], waiting["queue_position"]), ("NEW", 1))
        tokens = self.tokens()
        begun = time.monotonic()
        self.stop()
        self.assertLess(time.monotonic() - begun, 15)
        self.nothing_left(*tokens)
        self.rest()
        for id in running:
            job = self.job(id)
            self.assertEqual((job["status"], job["error"]["message"]), ("FAILED", STOPPED))
            self.assertIn("retry", job["error"]["hint"])
        self.until(last, status="COMPLETED")
        self.assertEqual(self.ask("POST", f"/builders/{first}/retry").status_code, 202)
        again = self.until(first, stages="'customise'", activity="command")
        hits = {stage["stage"]: stage["hit"] for stage in again["stages"]}
        self.assertTrue(hits["base"], again)
        self.assertEqual(self.ask("DELETE", f"/builders/{first}").status_code, 202)
        job = self.until(first, status="FAILED")
        self.assertTrue(job["error"]["cancelled"])
        self.assertIn("cancelled", job["error"]["message"])
        self.stop()
        self.nothing_left()


class KillTests(SystemCase):
    """kill -9, then a new daemon."""

    def kill(self) -> None:
        """End it, wait until the children it had are gone, too, and start a new one."""
        tokens = self.tokens()
        self.stop(signal.SIGKILL)
        self.soon(lambda: self.living(tokens) == [], "children are left")
        self.rest()

    def test_completed_failed_and_queued(self) -> None:
        """What has ended is as it was, with its log; what waited goes on."""
        self.rest()
        good = self.build()
        self.until(good, status="COMPLETED")
        bad = self.build(template(commands=("echo no; false",), size="96M"), "rhevm")
        self.until(bad, status="FAILED")
        before = [self.job(id) for id in (good, bad)]
        log = self.ask("GET", f"/builders/{bad}/log").text
        running = [self.build(hanging(number), "rhevm") for number in (1, 2)]
        for id in running:
            self.busy(id)
        queued = self.build()
        self.kill()
        after = [self.job(id) for id in (good, bad)]
        for was, now in zip(before, after, strict=True):
            self.assertEqual(
                {**was, "href": was["href"].partition("/imagefactory")[2]},
                {**now, "href": now["href"].partition("/imagefactory")[2]},
            )
        self.assertEqual(self.ask("GET", f"/builders/{bad}/log").text, log)
        self.assertEqual({self.job(id)["error"]["message"] for id in running}, {STOPPED})
        self.until(queued, status="COMPLETED")
        self.assertEqual([job["id"] for job in self.ask("GET", "/builders").json()["builders"]][:2], [good, bad])
        self.stop()
        self.nothing_left()

    def test_right_after_the_end(self) -> None:
        """What was seen to be COMPLETED is so, and a client that comes back misses no event and hears none twice."""
        self.rest()
        last = 0
        for _ in range(3):
            with self.ask("GET", f"/events?after={last}", stream=True) as events:
                id, before = self.build(), read_until(events, "COMPLETED")
            self.kill()
            self.assertEqual(self.job(id)["status"], "COMPLETED")
            last = max(before)
            other = self.build()
            with self.ask("GET", "/events", stream=True, headers={"Last-Event-ID": str(last)}) as events:
                after = read_until(events, "COMPLETED")
            self.assertGreater(min(after), last)
            self.assertEqual({job for job, _ in after.values()}, {other})
            last = max(after)
        self.stop()

    def test_while_cancelling_and_retrying(self) -> None:
        """It is FAILED then, and can be retried (again)."""
        self.rest()
        id = self.build(hanging(1), "rhevm")
        self.busy(id)
        self.assertEqual(self.ask("DELETE", f"/builders/{id}").status_code, 202)
        self.kill()
        for _ in range(2):
            self.assertEqual(self.job(id)["status"], "FAILED")
            self.assertEqual(self.ask("POST", f"/builders/{id}/retry").status_code, 202)
            self.until(id, activity="command")
            self.kill()
        self.assertEqual(self.job(id)["error"]["message"], STOPPED)
        self.stop()
        self.nothing_left()

    def test_at_every_stage(self) -> None:
        """Whatever the build is doing: FAILED with the reason, nothing of it left, and a retry completes."""
        seen: set[str] = set()
        killed: set[str] = set()
        self.rest()
        for number in range(12):
            tdl = template(commands=(f"echo {number}",), size="96M", version="9")
            id = self.build(tdl, "vsphere")
            doing = self._new_activity(id, seen)
            if doing is None:
                break
            self.kill()
            job = self.job(id)
            if job["status"] == "FAILED":  # else it was killed before its start, or after its end, was written down
                self.assertEqual(job["error"]["message"], STOPPED, doing)
                killed.add(doing)
                self.assertEqual(self.ask("POST", f"/builders/{id}/retry").status_code, 202)
            self.until(id, status="COMPLETED")
        self.assertGreater(len(killed), 5, (killed, seen))
        self.stop()
        self.nothing_left()

    def _new_activity(self, id: str, seen: set[str]) -> str | None:
        """Wait until the job does something that is not in `seen` yet; None if it ends before."""
        while True:
            job = self.job(id)
            doing = " ".join(job["activity"].split()[:2])
            if doing and doing not in seen:
                seen.add(doing)
                return doing
            if job["status"] in {"COMPLETED", "FAILED"}:
                return None

    def only_body(self) -> Path:
        """The file of the one mock image in the warehouse."""
        (body,) = (path for path in (self.state / "warehouse").rglob("*") if path.is_file() and _is_mock(path))
        return body

    def test_a_disk_that_does_not_answer(self) -> None:
        """SIGTERM while a push waits for it: the end is bounded all the same."""
        self.configure(stop_timeout=2)
        self.rest()
        image = self.build()
        self.until(image, status="COMPLETED")
        body = self.only_body()
        body.unlink()
        os.mkfifo(body)
        push = {"provider": "mock-1", "credentials": CREDENTIALS, "target_image_id": image}
        id = self.ask("POST", "/provider_images", json=push).json()["id"]
        self.until(id, status="PUSHING")
        self.stop(limit=30)
        self.rest()
        self.assertEqual(self.job(id)["error"]["message"], STOPPED)
        self.stop()

    def test_while_pushing(self) -> None:
        """A push is FAILED with the reason; its credentials are nowhere, so it has to be asked for again."""
        self.rest()
        image = self.build()
        self.until(image, status="COMPLETED")
        body = self.only_body()
        content = body.read_bytes()
        body.unlink()
        os.mkfifo(body)  # a reader of it waits
        push = {
            "provider": "mock-1",
            "credentials": CREDENTIALS.replace(">me<", ">hush-hush<"),
            "target_image_id": image,
        }
        answer = self.ask("POST", "/provider_images", json=push)
        self.assertEqual(answer.status_code, 202, answer.text)
        id = answer.json()["id"]
        self.until(id, status="PUSHING")
        self.stop(signal.SIGKILL)
        body.unlink()
        body.write_bytes(content)
        self.rest()
        job = self.job(id)
        self.assertEqual((job["status"], job["operation"], job["error"]["message"]), ("FAILED", "push", STOPPED))
        self.assertIn("push again, with the credentials", job["error"]["hint"])
        self.assertEqual(self.ask("POST", f"/builders/{id}/retry").status_code, 409)
        again = self.ask("POST", "/provider_images", json=push).json()["id"]
        self.until(again, status="COMPLETED")
        self.stop()


def read_until(events: requests.Response, status: str) -> dict[int, tuple[str, str]]:
    """Events up to the first with this status: job and status by the event's id."""
    seen: dict[int, tuple[str, str]] = {}
    for line in events.iter_lines():
        if line.startswith(b"data:"):
            job = json.loads(line[5:])
            seen[job["event"]] = job["id"], job["status"]
            if job["status"] == status:
                return seen
    raise AssertionError(f"the stream ended: {seen}")


def _is_mock(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"---\n:id:"
