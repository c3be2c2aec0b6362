"""Jobs: documents, lists, cancel, retry, log."""

import json

from twisted.internet.defer import Deferred

from imagefactory.lib.errors import Conflict
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation, Running
from imagefactory.model.providers import Provider
from imagefactory.model.report import StageOutcome
from imagefactory.testing.wire import Wire, read_reply
from tests.rest.service import CREDENTIALS, ServiceTestCase

BASE = "http://factory.example:8075"
BUILDERS = "/imagefactory/builders"
FIELDS_OF_1_0 = {
    "_type",
    "id",
    "href",
    "operation",
    "status",
    "completed",
    "target",
    "image_id",
    "build_id",
    "target_image_id",
    "provider",
    "provider_account_identifier",
}


class DocumentTests(ServiceTestCase):
    """One job, under all its addresses."""

    def test_fields(self) -> None:
        """Those of version 1.0, then activity, error, times, stages and the place in the queue."""
        id = self.build()
        job = self.wire.ask("GET", f"{BUILDERS}/{id}").json
        self.assertTrue(job.keys() >= FIELDS_OF_1_0)
        self.assertEqual((job["_type"], job["status"], job["queue_position"]), ("builder", "NEW", 1))
        self.assertEqual((job["href"], job["target_image_id"]), (f"{BASE}{BUILDERS}/{id}", None))
        stage = StageOutcome("base", "ab" * 32, hit=True)
        self.jobs.change(id, state=Running("BUILDING"), percent=30, activity="installing packages", stages=(stage,))
        job = self.wire.ask("GET", f"{BUILDERS}/{id}/").json
        self.assertEqual((job["status"], job["completed"], job["activity"]), ("BUILDING", 30, "installing packages"))
        self.assertEqual((job["stages"][0]["hit"], job["queue_position"]), (True, None))
        self.assertEqual(job["href"], f"{BASE}{BUILDERS}/{id}")

    def test_status(self) -> None:
        """Four fields."""
        id = self.build()
        path = f"{BUILDERS}/{id}/status"
        expected = {"_type": "builder_status", "id": id, "href": BASE + path, "status": "NEW"}
        self.assertEqual(self.wire.ask("GET", path).json, expected)
        self.assertEqual(self.wire.ask("GET", f"{BUILDERS}/none/status").status, 404)

    def test_failure_is_told(self) -> None:
        """Message, hint, incident."""
        id = self.build()
        self.jobs.change(id, state=Failed(Failure("the mirror is gone", "try another", "abc")))
        error = self.wire.ask("GET", f"{BUILDERS}/{id}").json["error"]
        expected = {"message": "the mirror is gone", "hint": "try another", "incident": "abc", "cancelled": False}
        self.assertEqual(error, expected)

    def test_nested_addresses_show_the_same_job(self) -> None:
        """Looked up by the last id; what only the warehouse knows is a completed job."""
        id = self.build()
        nested = f"/imagefactory/images/any/builds/any/target_images/{id}"
        self.assertEqual(self.wire.ask("GET", nested).json["_type"], "target_image_status")
        self.assertEqual(self.wire.ask("GET", nested + "/status").json["status"], "NEW")
        stored = self.wire.ask("GET", "/imagefactory/images/i1/builds/b1/target_images/ti1").json
        self.assertEqual((stored["status"], stored["completed"], stored["image_id"]), ("COMPLETED", 100, "i1"))
        nested = "/imagefactory/images/i1/builds/b1/target_images/ti1/provider_images/pi1"
        for path in (nested, "/imagefactory/provider_images/pi1"):
            stored = self.wire.ask("GET", path).json
            self.assertEqual((stored["_type"], stored["operation"]), ("provider_image_status", "push"))
            self.assertEqual((stored["provider"], stored["target_image_id"]), ("mock1", "ti1"))
            self.assertEqual(self.wire.ask("GET", path + "/status").json["status"], "COMPLETED")
        self.assertEqual(self.wire.ask("GET", "/imagefactory/provider_images/none").status, 404)

    def test_what_was_removed_is_not_found(self) -> None:
        """The job is still known as a builder; its image is not there any more."""
        for id, path in (
            ("ti1", "/imagefactory/images/i1/builds/b1/target_images/ti1"),
            ("pi1", "/imagefactory/provider_images/pi1"),
        ):
            self.jobs.add(Job(id, Operation.BUILD, "mock", "i1", "b1", 0.0, Completed()))
            self.assertEqual(self.wire.ask("GET", path).status, 200)
            self.assertEqual(self.wire.ask("DELETE", path + "?keep_on_provider=1").status, 204)
            self.assertEqual(self.wire.ask("GET", path + "/status").status, 404)
            self.assertEqual(self.wire.ask("GET", f"{BUILDERS}/{id}").json["status"], "COMPLETED")

    def test_links_behind_a_trusted_proxy(self) -> None:
        """They are as the client wrote them; headers from elsewhere change nothing."""
        headers = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "cloud.example, inner")]
        path = "/imagefactory/builders"
        self.assertEqual(self.wire.ask("GET", path, headers=headers).json["href"], BASE + path)
        self.serve(trusted_proxies=("192.0.2.7",))
        self.assertEqual(self.wire.ask("GET", path, headers=headers).json["href"], "https://cloud.example" + path)
        self.serve(trusted_proxies=("192.0.2.7",), no_oauth=False, oauth_reads=False)
        headers = [("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", 'x"><script>')]
        self.assertEqual(self.wire.ask("GET", path, headers=headers).json["href"], "http://192.0.2.1:8075" + path)


class ListTests(ServiceTestCase):
    """GET /builders."""

    def test_wrapper_and_order(self) -> None:
        """`builders` with links of its own, oldest first; by status, limit and after."""
        ids = [self.build() for _ in range(3)]
        self.jobs.change(ids[1], state=Completed())
        listed = self.wire.ask("GET", BUILDERS + "?x=1").json
        self.assertEqual((listed["_type"], listed["href"]), ("builders", BASE + BUILDERS))
        self.assertEqual([job["id"] for job in listed["builders"]], ids)
        self.assertEqual(listed["builders"][0]["href"], f"{BASE}{BUILDERS}/{ids[0]}")

        def ask(query: str) -> list[str]:
            return [job["id"] for job in self.wire.ask("GET", f"{BUILDERS}?{query}").json["builders"]]

        self.assertEqual(ask("status=COMPLETED"), [ids[1]])
        self.assertEqual(ask("status=new"), [ids[0], ids[2]])
        self.assertEqual(ask(f"after={ids[0]}&limit=1"), [ids[1]])
        for query in ("status=DONE", "limit=0", "limit=x", "limit=-1", "limit=%C3%A4", "limit=" + "9" * 30):
            self.assertEqual(self.wire.ask("GET", f"{BUILDERS}?{query}").status, 400, query)

    def test_ten_thousand(self) -> None:
        """The fields of a job that has not changed are not encoded again."""
        for number in range(10_000):
            id = str(number)
            self.jobs.add(Job(id, Operation.BUILD, "mock", "i", "b", 0.0, Completed()))
        first = self.wire.ask("GET", BUILDERS)
        started = _cpu()
        second = self.wire.ask("GET", BUILDERS)
        self.assertEqual(first.body, second.body)
        self.assertEqual(len(second.json["builders"]), 10_000)
        self.assertLess(_cpu() - started, 2.0)

    def many(self) -> None:
        """A list of some megabytes."""
        for number in range(3000):
            self.jobs.add(Job(str(number), Operation.BUILD, "mock", "i", "b", 0.0, Completed()))

    def test_at_the_pace_of_its_reader(self) -> None:
        """A long list is never in memory as a whole, and others are served between its pieces."""
        self.many()
        self.wire.transport.room = 65536
        self.wire.send(b"GET /imagefactory/builders HTTP/1.1\r\nHost: x\r\n\r\n")
        received, other, largest = b"", Wire(self.site), 0
        while not received.endswith(b"0\r\n\r\n"):
            self.assertEqual(other.ask("GET", "/health").status, 200)
            self.clock.advance(50)  # slow, and going on
            part = self.wire.received()
            received, largest = received + part, max(largest, len(part))
        self.assertEqual(len(read_reply(received).json["builders"]), 3000)
        self.assertLess(largest, 200_000)

    def test_a_reader_that_stops(self) -> None:
        """Is dropped, and nothing of its list is kept."""
        self.many()
        self.wire.transport.room = 65536
        self.wire.send(b"GET /imagefactory/builders HTTP/1.1\r\nHost: x\r\n\r\n")
        self.clock.advance(61)
        self.assertFalse(self.wire.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_only_its_head(self) -> None:
        """Costs nothing."""
        self.many()
        answer = self.wire.ask("HEAD", BUILDERS)
        self.assertEqual((answer.status, answer.body, answer.headers["content-type"]), (200, b"", "application/json"))


class ChangeTests(ServiceTestCase):
    """Cancel and retry."""

    def test_cancel(self) -> None:
        """202 with the job; final ones are a conflict, unknown ones not found."""
        id = self.build()
        answer = self.wire.ask("DELETE", f"{BUILDERS}/{id}")
        self.assertEqual((answer.status, answer.json["error"]["cancelled"]), (202, True))
        self.assertEqual(self.wire.ask("DELETE", f"{BUILDERS}/{id}").status, 409)
        self.assertEqual(self.wire.ask("DELETE", f"{BUILDERS}/none").status, 404)
        self.assertEqual(self.jobs.cancelled, [id])

    def test_what_cannot_be_cancelled(self) -> None:
        """An immediate error is the reply, which does not wait for a later one."""
        id, elsewhere = self.build(), Conflict("run by another process")
        held: Deferred[None] = Deferred()

        async def cancel(id: str) -> Job:
            await held
            raise elsewhere

        self.jobs.cancel = cancel  # type: ignore[method-assign]
        self.assertEqual(self.wire.ask("DELETE", f"{BUILDERS}/{id}").status, 202)
        held.callback(None)
        self.assertEqual(self.wire.ask("DELETE", f"{BUILDERS}/{id}").status, 409)

    def test_retry(self) -> None:
        """A failed build is new again; anything else is a conflict."""
        id = self.build()
        self.assertEqual(self.wire.ask("POST", f"{BUILDERS}/{id}/retry").status, 409)
        self.jobs.change(id, state=Failed(Failure("x")))
        answer = self.wire.ask("POST", f"{BUILDERS}/{id}/retry")
        self.assertEqual((answer.status, answer.json["status"]), (202, "NEW"))
        self.assertEqual(answer.json["href"], f"{BASE}{BUILDERS}/{id}")

    def test_retry_of_a_push(self) -> None:
        """It needs the credentials again; the provider is that of the job, unless it is defined in place."""
        failed = Failed(Failure("x"))
        job = Job("p1", Operation.PUSH, "mock", "i1", "b1", 0.0, failed, target_image_id="t", provider="mock1")
        path = f"{BUILDERS}/{self.jobs.add(job).id}/retry"
        self.assertEqual(self.wire.ask("POST", path).status, 400)
        fields = {"credentials": "<c><username>me</username></c>"}
        for more, provider in (({}, "mock1"), ({"provider": "mock2"}, "mock2")):
            self.jobs.change("p1", state=failed)
            body = json.dumps({**fields, **more}).encode()
            answer = self.wire.ask("POST", path, body, headers=[("Content-Type", "application/json")])
            self.assertEqual((answer.status, answer.json["status"]), (202, "NEW"))
            (id, access) = self.jobs.retried[-1]
            assert access is not None
            self.assertEqual((id, access.provider.name), ("p1", provider))


class LogTests(ServiceTestCase):
    """The log of a job, finished or growing."""

    def test_what_there_is(self) -> None:
        """Text, from a line on."""
        id = self.build()
        for text in ("one", "zwei \xe4", "three"):
            self.jobs.log_line(id, text)
        answer = self.wire.ask("GET", f"{BUILDERS}/{id}/log")
        self.assertEqual(
            (answer.body.decode(), answer.headers["content-type"]),
            ("one\nzwei \xe4\nthree\n", "text/plain; charset=utf-8"),
        )
        self.assertEqual(self.wire.ask("GET", f"{BUILDERS}/{id}/log?after=2").body, b"three\n")
        self.assertEqual(self.wire.ask("GET", f"{BUILDERS}/none/log").status, 404)

    def test_control_characters_are_escaped(self) -> None:
        """As the command shows them: a log is read with curl on a terminal, and what is in it is a guest's."""
        id = self.build()
        self.jobs.log_line(id, "a\tb \x1b]0;owned\x07 \x9b31m \r\u202e \xe4 \u4e16")
        body = self.wire.ask("GET", f"{BUILDERS}/{id}/log").body.decode()
        self.assertEqual(body, "a\tb \\x1b]0;owned\\x07 \\x9b31m \\r\\u202e \xe4 \u4e16\n")

    def test_a_long_one_at_the_pace_of_its_reader(self) -> None:
        """A slow client gets all of it, however many lines one page of the store has."""
        id = self.build()
        for _ in range(2000):
            self.jobs.log_line(id, "x" * 300)
        self.wire.transport.room = 65536
        self.wire.send(f"GET {BUILDERS}/{id}/log HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            self.clock.advance(50)
            self.assertTrue(part := self.wire.received())
            received += part
        self.assertEqual(read_reply(received).body.count(b"\n"), 2000)

    def test_follow(self) -> None:
        """Lines as they come; the answer ends with the job, and nothing of it stays."""
        id = self.build()
        self.jobs.log_line(id, "one")
        self.wire.send(f"GET {BUILDERS}/{id}/log?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.jobs.log_line(id, "two")
        self.clock.advance(3600)
        self.assertTrue(self.wire.transport.connected)
        self.jobs.change(id, state=Completed())
        self.assertEqual(read_reply(self.wire.received()).body, b"one\ntwo\n")
        self.assertEqual(self.jobs.listeners, 0)
        self.assertEqual(self.wire.ask("GET", "/health").status, 200)


class PushTests(ServiceTestCase):
    """Pushes by both addresses."""

    def test_ids_from_the_address_or_the_body(self) -> None:
        """202 with a link that resolves; the very target image asked for is pushed."""
        nested = "/imagefactory/images/i1/builds/b1/target_images/ti1/provider_images"
        fields = {"provider": "mock1", "credentials": CREDENTIALS}
        flat = {**fields, "image_id": "i1", "build_id": "b1", "target_image_id": "ti1"}
        for path, body in ((nested, fields), ("/imagefactory/provider_images", flat)):
            answer = self.wire.json("POST", path, {"provider_image": body})
            self.assertEqual((answer.status, answer.json["_type"]), (202, "provider_image"))
            self.assertEqual(answer.json["href"], f"{BASE}{path}/{answer.json['id']}")
            job = self.wire.ask("GET", answer.json["href"].removeprefix(BASE)).json
            self.assertEqual((job["id"], job["target_image_id"]), (answer.json["id"], "ti1"))
            self.assertNotIn("s3cret", str(job))

    def test_what_is_missing_or_unknown(self) -> None:
        """400; an unknown provider is never another cloud by accident; credentials are not shown back."""
        path = "/imagefactory/provider_images"
        answer = self.wire.form("POST", path, {"provider": "mock1"})
        self.assertEqual((answer.status, answer.json["error"]), (400, "a push needs provider and credentials"))
        self.assertEqual(self.wire.form("POST", path, {"provider": "", "credentials": "<x/>"}).status, 400)
        answer = self.wire.form("POST", path, {"provider": "mokc", "credentials": CREDENTIALS})
        self.assertEqual((answer.status, answer.json["hint"]), (400, "known: mock, mock1"))
        answer = self.wire.form("POST", path, {"provider": "mock1", "credentials": "<s3cret"})
        self.assertEqual(answer.status, 400)
        self.assertNotIn(b"s3cret", answer.body)

    def test_removal_asks_for_credentials_or_keeping(self) -> None:
        """At the provider with credentials; only here with keep_on_provider, in the body or the query."""
        path = "/imagefactory/provider_images/pi1"
        self.assertEqual(self.wire.ask("DELETE", path).status, 400)
        self.assertEqual(self.wire.form("DELETE", path, {"credentials": CREDENTIALS}).status, 204)
        self.assertEqual(self.wire.ask("DELETE", path + "?keep_on_provider=1").status, 404)
        ((id, removal),) = self.inventory.removals
        self.assertEqual((id, removal.credentials is not None, removal.keep_on_provider), ("pi1", True, False))

    def test_removal_from_a_provider_defined_in_place(self) -> None:
        """The definition comes with the request, as with the push."""
        path = "/imagefactory/provider_images/pi1"
        fields = {"credentials": CREDENTIALS, "provider": "mock1"}
        self.assertEqual(self.wire.form("DELETE", path, {**fields, "provider": "mokc"}).status, 400)
        self.assertEqual(self.wire.form("DELETE", path, fields).status, 204)
        self.assertEqual(self.inventory.removals[0][1].provider, Provider("mock1", "mock"))

    def test_a_flag_that_says_neither(self) -> None:
        """Is not taken for a no: the image would be removed from its provider."""
        path = "/imagefactory/provider_images/pi1"
        for fields, query in (({"keep_on_provider": "maybe"}, ""), ({}, "?keep_on_provider=maybe")):
            answer = self.wire.form("DELETE", path + query, {"credentials": CREDENTIALS, **fields})
            self.assertEqual(answer.status, 400)
            self.assertIn("keep_on_provider", answer.json["error"])
        self.assertEqual(self.inventory.removals, [])

    def test_lists(self) -> None:
        """Of one target image and of all."""
        nested = "/imagefactory/images/i1/builds/b1/target_images/ti1/provider_images"
        for path in (nested, "/imagefactory/provider_images"):
            images = self.wire.ask("GET", path).json["provider_images"]
            self.assertEqual(images[0]["href"], BASE + "/imagefactory/provider_images/pi1")

    def test_targets(self) -> None:
        """Targets and their providers by name; wrong methods are 405, wrong names 404."""
        targets = self.wire.ask("GET", "/imagefactory/targets").json["targets"]
        self.assertEqual([each["name"] for each in targets], ["ec2", "mock"])
        path = "/imagefactory/targets/mock/providers"
        providers = self.wire.ask("GET", path).json["providers"]
        self.assertEqual(self.wire.ask("GET", "/imagefactory/targets/mock").json["providers"], providers)
        self.assertEqual(self.wire.ask("GET", path + "/mock2").json["name"], "mock2")
        self.assertEqual(self.wire.ask("GET", path + "/mock3").json["name"], "mock3")
        self.assertEqual(self.wire.ask("GET", path).json["names"], ["mock..."])
        for name in ("ec2-us-east-1", "nowhere", "%7B%22name%22:%22mock9%22,%22target%22:%22mock%22%7D"):
            self.assertEqual(self.wire.ask("GET", f"{path}/{name}").status, 404, name)
        self.assertEqual(self.wire.ask("GET", "/imagefactory/targets/none").status, 404)
        self.assertEqual(self.wire.ask("POST", path, b"x=1").status, 405)


def _cpu() -> float:
    import time

    return time.process_time()
