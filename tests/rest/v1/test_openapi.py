"""The route table, and what is made from it."""

from openapi_spec_validator import OpenAPIV31SpecValidator
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from imagefactory.lib import errors
from imagefactory.rest.errors import STATUS, status_of
from imagefactory.rest.health import TIMEOUT
from imagefactory.rest.route_table import Parameter
from imagefactory.rest.v1 import parameters
from imagefactory.rest.v1.openapi import openapi_document
from imagefactory.rest.v1.routes import ROUTES, TABLE
from imagefactory.rest.v1.schemas import ANSWERS, BODIES
from imagefactory.testing.wire import read_reply
from tests.rest.service import TEMPLATE, ServiceTestCase


class DocumentTests(ServiceTestCase):
    """The OpenAPI document."""

    def test_it_is_valid_and_served(self) -> None:
        """OpenAPI 3.1, the same as made from the table."""
        served = self.wire.ask("GET", "/imagefactory/openapi.json").json
        OpenAPIV31SpecValidator(served).validate()
        self.assertEqual(served, openapi_document(ROUTES, TABLE.version))

    def test_every_schema_is_used_and_known(self) -> None:
        """No reference leads nowhere, none of the parameters is idle."""
        for route in ROUTES:
            self.assertIn(route.response or "Api", ANSWERS)
            self.assertIn(route.request or "NewImage", BODIES)
        declared = {id(each) for each in vars(parameters).values() if isinstance(each, Parameter)}
        self.assertEqual({id(each) for route in ROUTES for each in (*route.query, *route.headers)}, declared)

    def test_every_error_is_declared(self) -> None:
        """All of the error table, but for what a route cannot come to: the list of these is meant to be short."""
        paths = openapi_document(ROUTES, TABLE.version)["paths"]
        never = {
            "reads": {409, 507},
            "bodiless": {415},
            "lists": {404},
            "public": {401},
        }
        for route in ROUTES:
            query = {each.name for each in route.query}
            kinds = {
                "reads": route.method == "GET",
                "bodiless": not route.request,
                "lists": "{" not in route.path and not {"after", "id"} & query and route.method == "GET",
                "public": route.path == "/health",
            }
            spared = set().union(*(never[kind] for kind, holds in kinds.items() if holds))
            declared = {int(status) for status in paths[route.path][route.method.lower()]["responses"]}
            self.assertEqual({status for _, status in STATUS} - declared, spared, route)
        events = paths["/imagefactory/events"]["get"]
        self.assertIn(("header", "Last-Event-ID"), [(each["in"], each["name"]) for each in events["parameters"]])

    def test_answers_fit_their_schemas(self) -> None:
        """All reads that need no more than the fakes have, and a build."""
        from jsonschema import Draft202012Validator

        components = openapi_document(ROUTES, TABLE.version)["components"]
        id = self.build()
        ids = {
            "image_id": "i1",
            "build_id": "b1",
            "target_image_id": "ti1",
            "provider_image_id": "pi1",
            "builder_id": id,
            "target_name": "mock",
            "provider_name": "mock1",
        }

        def check(document: object, schema: str) -> None:
            reference = {"$ref": f"#/components/schemas/{schema}", "components": components}
            Draft202012Validator(reference).validate(document)

        for route in ROUTES:
            if route.method == "GET" and route.media == "application/json":
                check(self.wire.ask("GET", route.path.format(**ids)).json, route.response)
        body = {"template": TEMPLATE, "targets": "mock,ec2"}
        check(self.wire.json("POST", "/imagefactory/images", body).json, "Image")
        check(self.wire.ask("GET", "/nowhere").json, "Error")


class HealthTests(ServiceTestCase):
    """What watchers ask."""

    def health(self) -> tuple[int, dict[str, str]]:
        """Status and document, without the version."""
        answer = self.wire.ask("GET", "/health")
        document = dict(answer.json)
        del document["version"]
        return answer.status, document

    def test_good(self) -> None:
        """All that it needs answers."""
        self.assertEqual(self.health(), (200, {"status": "ok", "job_store": "ok", "warehouse": "ok"}))

    def test_stopping(self) -> None:
        """A stopping daemon wants no more requests."""
        self.jobs.open = False
        self.assertEqual(self.health(), (503, {"status": "stopping"}))

    def test_a_service_that_fails(self) -> None:
        """The reason goes to the log only: it may hold secrets."""
        self.jobs.broken = errors.Unavailable("no such table in /srv/hush")
        with capturedLogs() as logged:
            self.assertEqual(self.health(), (503, {"status": "failing", "job_store": "no answer", "warehouse": "ok"}))
        self.assertIn("/srv/hush", formatEvent(logged[0]))

    def test_a_service_that_does_not_answer(self) -> None:
        """It has three seconds, and is not asked again before it has answered."""
        self.jobs.slow = Deferred()
        asked: list[int] = []
        probe = self.jobs.probe

        async def counted() -> None:
            asked.append(1)
            await probe()

        self.patch(self.jobs, "probe", counted)
        self.serve()
        for _ in range(2):
            self.wire.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(self.wire.received(), b"")
            self.clock.advance(TIMEOUT)
            self.assertEqual(read_reply(self.wire.received()).json["job_store"], "no answer")
        self.assertEqual(len(asked), 1)
        self.jobs.slow.callback(None)
        self.assertEqual(self.health()[0], 200)

    def test_a_site_that_is_closed_meanwhile(self) -> None:
        """The question is ended with the site, before the services go, and is no failure of theirs."""
        self.jobs.slow = Deferred()
        self.wire.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        with capturedLogs() as logged:
            self.successResultOf(Deferred.fromCoroutine(self.site.tasks.close()))
        self.assertEqual(read_reply(self.wire.received()).status, 503)
        self.assertEqual(logged, [])
        self.assertEqual(self.wire.ask("GET", "/health").status, 503)


class ErrorTableTests(ServiceTestCase):
    """From error class to status."""

    def test_every_class_has_its_place(self) -> None:
        """Each of the family is found, most special first."""
        for number, (kind, _) in enumerate(STATUS):
            for later, _ in STATUS[number + 1 :]:
                self.assertFalse(issubclass(later, kind), f"{later} can never be reached")
        self.assertEqual(status_of(errors.Unsupported("x")), 400)
        self.assertEqual(status_of(errors.NoSpace("x")), 507)
        self.assertEqual(status_of(errors.Unavailable("x")), 503)
        self.assertEqual(status_of(errors.TimedOut("x")), 500)

    def test_metrics(self) -> None:
        """Counted by route, not by address; jobs by state."""
        id = self.build()
        self.wire.ask("GET", f"/imagefactory/builders/{id}")
        text = self.wire.ask("GET", "/metrics").body.decode()
        self.assertIn('imagefactory_jobs{operation="build",status="NEW"} 1', text)
        self.assertIn('{route="GET /imagefactory/builders/{builder_id}",status="200"} 1', text)
        self.assertNotIn(id, text)
        self.assertIn("imagefactory_http_connections 1", text)

    def test_metrics_of_errors(self) -> None:
        """Counted with the route that failed; what has no route is counted together."""
        for path in ("/imagefactory/builders/no", "/nowhere", "/elsewhere"):
            self.wire.ask("GET", path)
        text = self.wire.ask("GET", "/metrics").body.decode()
        self.assertIn('{route="GET /imagefactory/builders/{builder_id}",status="404"} 1', text)
        self.assertIn('{route="none",status="404"} 2', text)
