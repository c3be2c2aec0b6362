"""Clients of version 1.0 against the real daemon, from the request to the image."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import requests
from requests_oauthlib import OAuth1

from tests.functional.daemon import CLIENT, CREDENTIALS, MOCK, DaemonCase

IMPORT = {
    "target_name": "mock",
    "provider_name": "mock-1",
    "target_identifier": "ami-0815",
    "image_descriptor": "<image><name>kept</name></image>",
}
HUSH = "hunter2-4711"
PUSH = {"provider": "mock-1", "credentials": CREDENTIALS}


class ConductorTests(DaemonCase):
    """What Conductor and others of its time sent."""

    def setUp(self) -> None:
        super().setUp()
        self.rest()

    def accepted(self, answer: requests.Response) -> dict[str, Any]:
        """The document of a 202."""
        self.assertEqual(answer.status_code, 202, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def test_put_with_an_unknown_image(self) -> None:
        """Wrapped JSON; the image has that id, the builder's id is the target image's, and polling ends."""
        image = str(uuid4())
        document = self.accepted(
            self.ask("PUT", f"/images/{image}", json={"image": {"targets": "mock", "template": MOCK}})
        )
        self.assertEqual((document["_type"], document["id"]), ("image", image))
        self.assertEqual(document["href"], f"{self.url}/imagefactory/images/{image}")
        (target_image,) = document["build"]["target_images"]
        job = self.until(target_image["id"], status="COMPLETED")
        self.assertEqual((job["completed"], job["operation"], job["image_id"]), (100, "build", image))
        status = self.ask("GET", f"/builders/{target_image['id']}/status").json()
        self.assertEqual(status["status"], "COMPLETED")
        self.assertEqual(self.ask("GET", f"/images/{image}").json()["latest_unpushed"], document["build"]["id"])

    def test_flat_json_and_forms(self) -> None:
        """All spellings of one request, encoded or straight from curl -d, are accepted."""
        flat = {"targets": "mock", "template": MOCK}
        answers = [self.ask("POST", "/images", json=flat), self.ask("POST", "/images", data=flat)]
        for answer in answers:
            self.until(self.accepted(answer)["build"]["target_images"][0]["id"], status="COMPLETED")
        self.assertEqual(self.ask("POST", "/images", json=flat, signed=False).status_code, 401)
        wrong = OAuth1(CLIENT[0], "another secret")
        refused = self.ask("POST", "/images", json=flat, auth=wrong)
        self.assertEqual(refused.status_code, 401)
        self.assertIn("OAuth realm=", refused.headers["WWW-Authenticate"])

    def test_a_life_of_an_image(self) -> None:
        """Built, added to, pushed, listed, shown, removed."""
        document = self.accepted(self.ask("POST", "/images", json={"targets": "mock", "template": MOCK}))
        image, build = document["id"], document["build"]["id"]
        id = document["build"]["target_images"][0]["id"]
        self.until(id, status="COMPLETED")
        place = f"/images/{image}/builds/{build}/target_images/{id}"
        nested = self.accepted(self.ask("POST", f"{place}/provider_images", json={"provider_image": PUSH}))
        job = self.until(nested["id"], status="COMPLETED")
        self.assertEqual(job["target_identifier"], f"Mock_mock-1_{nested['id']}")
        self.assertEqual(job["provider_account_identifier"], "me")
        flat = self.accepted(self.ask("POST", "/provider_images", data={**PUSH, "image_id": image, "build_id": build}))
        self.until(flat["id"], status="COMPLETED")
        lists = {
            "/images": ("images", {image}),
            f"/images/{image}/builds": ("builds", {build}),
            f"/images/{image}/builds/{build}/target_images": ("target_images", {id}),
            f"{place}/provider_images": ("provider_images", {nested["id"], flat["id"]}),
            "/provider_images": ("provider_images", {nested["id"], flat["id"]}),
            "/builders": ("builders", {id, nested["id"], flat["id"]}),
        }
        for path, (name, ids) in lists.items():
            found = self.ask("GET", path).json()
            self.assertEqual({one["id"] for one in found[name]}, ids, path)
        for path in (place, f"{place}/status", f"{place}/provider_images/{nested['id']}/status"):
            self.assertEqual(self.ask("GET", path).json()["status"], "COMPLETED", path)
        copies = list(self.imgdir.glob("deltacloud-*/mock-1/images/*.yml"))
        self.assertEqual(len(copies), 2)
        self.assertEqual(self.ask("DELETE", f"/provider_images/{flat['id']}").status_code, 400)
        gone = self.ask("DELETE", f"/provider_images/{flat['id']}", json={"credentials": CREDENTIALS})
        self.assertEqual(gone.status_code, 204, gone.text)
        self.assertEqual(len(list(self.imgdir.glob("deltacloud-*/mock-1/images/*.yml"))), 1)
        kept = self.ask("DELETE", f"/provider_images/{nested['id']}?keep_on_provider=true")
        self.assertEqual(kept.status_code, 204, kept.text)
        self.assertEqual(self.ask("DELETE", f"/images/{image}").status_code, 204)
        self.assertEqual(self.ask("GET", f"/images/{image}").status_code, 404)
        self.assertEqual(self.ask("GET", "/images").json()["images"], [])

    def test_imports(self) -> None:
        """By POST a new image, by PUT into the one of the address; the ids are those that can be looked up."""
        for method, path in (("POST", "/images"), ("PUT", f"/images/{uuid4()}")):
            answer = self.ask(method, path, json={"image": IMPORT})
            self.assertEqual(answer.status_code, 200, answer.text)
            document = answer.json()
            if method == "PUT":
                self.assertEqual(document["id"], path.rpartition("/")[2])
            (target_image,) = document["build"]["target_images"]
            (provider_image,) = target_image["provider_images"]
            self.assertEqual(
                self.ask("GET", f"/images/{document['id']}").json()["descriptor"], IMPORT["image_descriptor"]
            )
            found = self.ask("GET", f"/provider_images/{provider_image['id']}").json()
            self.assertEqual((found["target_identifier"], found["status"]), ("ami-0815", "COMPLETED"))
            hrefs = [document["href"], document["build"]["href"], target_image["href"], provider_image["href"]]
            for href in hrefs:
                path_there = href.removeprefix(f"{self.url}/imagefactory")
                self.assertEqual(self.ask("GET", path_there).status_code, 200, href)

    def test_unknown_providers(self) -> None:
        """Are 400, and never another cloud by accident."""
        id = self.build()
        self.until(id, status="COMPLETED")
        answer = self.ask("POST", "/provider_images", json={**PUSH, "provider": "elsewhere", "target_image_id": id})
        self.assertEqual(answer.status_code, 400)
        self.assertIn("elsewhere", answer.json()["error"])
        for wrong in ("elsewhere", "ec2-us-east-1"):
            answer = self.ask("POST", "/images", json={**IMPORT, "provider_name": wrong})
            self.assertEqual(answer.status_code, 400)
            self.assertIn(wrong, answer.json()["error"])

    def test_providers_defined_in_place(self) -> None:
        """Only their names are seen later, and what does not belong there is refused."""
        id = self.build()
        self.until(id, status="COMPLETED")
        for definition, status in (
            (f'<provider name="mock-x" target="mock"><password>{HUSH}</password></provider>', 400),
            (f'<provider name="mock-x" target="mock" password="{HUSH}"/>', 202),
            (f'<provider name="mock-x" target="mock"><!-- {HUSH} --></provider>', 202),
        ):
            answer = self.ask("POST", "/provider_images", json={**PUSH, "provider": definition, "target_image_id": id})
            self.assertEqual(answer.status_code, status, answer.text)
            if status == 202:
                self.assertEqual(self.until(answer.json()["id"], status="COMPLETED")["provider"], "mock-x")
        definition = f'{{"name": "mock-y", "target": "mock", "password": "{HUSH}"}}'
        answer = self.ask("POST", "/images", json={"image": {**IMPORT, "provider_name": definition}})
        self.assertEqual(answer.status_code, 200, answer.text)
        self.stop()
        places = [path for path in self.directory.rglob("*") if path.is_file() and HUSH.encode() in path.read_bytes()]
        self.assertEqual(places, [])


class StreamTests(DaemonCase):
    """Logs and events."""

    def test_log_and_events(self) -> None:
        """The log ends with the job; events can be taken up again after the last one that was seen."""
        self.rest()
        id = self.build()
        log = self.ask("GET", f"/builders/{id}/log?follow=1").text
        self.assertIn("storing", log)
        self.assertEqual(self.job(id)["status"], "COMPLETED")
        events = self._events(id, "0")
        self.assertEqual([*events.values()][-1], "COMPLETED")
        middle = [*events][1]
        self.assertEqual(self._events(id, middle), {key: events[key] for key in events if int(key) > int(middle)})
        self.stop()
        self.rest()
        self.assertEqual(self._events(id, "0"), events)
        self.assertEqual(self.ask("GET", f"/builders/{id}/log").text, log)

    def _events(self, id: str, last: str) -> dict[str, str]:
        """Ids of the events after `last`, with the job's status, until it is final."""
        found: dict[str, str] = {}
        path = f"/events?id={id}"
        with self.ask("GET", path, stream=True, headers={"Last-Event-ID": last}) as answer:
            self.assertEqual(answer.headers["Content-Type"].partition(";")[0], "text/event-stream")
            number = ""
            for line in answer.iter_lines(chunk_size=1):
                name, _, value = line.decode().partition(": ")
                number = value if name == "id" else number
                if name == "data":
                    found[number] = json.loads(value)["status"]
                    if found[number] in {"COMPLETED", "FAILED"}:
                        return found
        return found


class ReplayTests(DaemonCase):
    """A signed request was overheard and is sent again."""

    def test_after_a_restart(self) -> None:
        """It is not good for the next daemon, either, however the first one ended."""
        self.configure(no_ssl=True)
        self.rest()
        wish = {"targets": "mock", "template": MOCK}
        request = requests.Request("POST", f"{self.url}/imagefactory/images", json=wish, auth=OAuth1(*CLIENT)).prepare()
        request.headers["Host"] = urlsplit(self.url).netloc
        with requests.Session() as session:
            self.assertEqual(session.send(request, timeout=30).status_code, 202)
            self.stop(signal.SIGKILL)
            self.rest()
            request.url = f"{self.url}/imagefactory/images"
            answer = session.send(request, timeout=30)
        self.assertEqual(answer.status_code, 401)
        self.assertIn("used before", answer.json()["error"])

    def test_at_the_warehouse(self) -> None:
        """The same at its port, whose users are others."""
        users = self.directory / "users.json"
        users.write_text(json.dumps([{"name": CLIENT[0], "secret": CLIENT[1]}]))
        users.chmod(0o600)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.configure(warehouse_users=str(users), warehouse_port=port)
        self.rest()
        request = requests.Request("PUT", f"http://127.0.0.1:{port}/b", auth=OAuth1(*CLIENT)).prepare()
        with requests.Session() as session:
            self.assertEqual(session.send(request, timeout=30).status_code, 201)
            self.stop(signal.SIGKILL)
            self.rest()
            self.assertEqual(session.send(request, timeout=30).status_code, 401)
            again = requests.get(f"http://127.0.0.1:{port}/b", auth=OAuth1(*CLIENT), timeout=30)
            self.assertEqual(again.status_code, 200)


class FirstStartTests(DaemonCase):
    """No client is configured."""

    def test_the_client_that_is_made(self) -> None:
        """Its file is for the owner alone, the log says where it is and nothing of the secret, and it can sign."""
        self.configure(clients={})
        self.rest()
        file = self.state / "oauth-client.json"
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertIn(str(file), self.log)
        client = json.loads(file.read_text())
        self.assertNotIn(client["secret"], self.log)
        fields = {"targets": "mock", "template": MOCK}
        self.assertEqual(self.ask("POST", "/images", json=fields).status_code, 401)
        auth = OAuth1(client["key"], client["secret"])
        self.assertEqual(self.ask("POST", "/images", json=fields, auth=auth).status_code, 202)
        self.stop()
        self.rest()
        self.assertEqual(self.ask("POST", "/images", json=fields, auth=auth).status_code, 202)

    def test_curl(self) -> None:
        """A template straight from `curl -d`, without signatures."""
        self.configure(no_oauth=True)
        self.rest()
        text = MOCK.replace("<name>", "<description>a &amp; b; c=d &lt;e&gt;</description><name>")
        argv = ["curl", "-sS", "-k", "-d", f"targets=mock&template={text}", f"{self.url}/imagefactory/images"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        id = json.loads(done.stdout)["build"]["target_images"][0]["id"]
        self.until(id, status="COMPLETED")
        stored = [path for path in (self.state / "warehouse").rglob("*") if _holds(path, text.encode())]
        self.assertEqual(len(stored), 1)


def _holds(path: Path, text: bytes) -> bool:
    return path.is_file() and path.stat().st_size < 4096 and path.read_bytes() == text
