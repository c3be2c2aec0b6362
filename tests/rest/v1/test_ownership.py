"""Whose is what, and who may change it."""

from dataclasses import replace
from typing import Any

from oauthlib.oauth1 import Client

from imagefactory.lib.secret import Secret
from imagefactory.model.jobs import Completed, Failed, Failure
from imagefactory.settings.client_secret import ClientSecret
from imagefactory.testing.wire import WireReply
from tests.rest.service import CREDENTIALS, TEMPLATE, ServiceTestCase

IMAGES = "/imagefactory/images"
BUILD = {"template": TEMPLATE, "targets": "mock"}
IMPORT = {"target_name": "mock", "provider_name": "mock1", "target_identifier": "m", "image_descriptor": "<image/>"}
PUSH = {"provider": "mock1", "credentials": CREDENTIALS}
CLIENTS = {"alice": Secret("a"), "bob": Secret("b"), "root": ClientSecret("r", "admin")}


class OwnershipTestCase(ServiceTestCase):
    """A service with three clients."""

    settings = {"clients": CLIENTS}  # noqa: RUF012

    def setUp(self) -> None:
        super().setUp()
        self.clock.rightNow = 1318873100.0  # a time of ten digits, as signatures have it

    def ask(self, key: str, method: str, path: str, fields: dict[str, Any] | None = None) -> WireReply:
        """A request that the client with this key has signed."""
        client = Client(key, client_secret=CLIENTS[key].reveal(), timestamp=str(int(self.clock.seconds())))
        _, headers, _ = client.sign("http://factory.example:8075" + path, method)
        sent = list(headers.items())
        return (
            self.wire.json(method, path, fields, headers=sent) if fields else self.wire.ask(method, path, headers=sent)
        )

    def built_by(self, key: str) -> str:
        """Returns the id of a new job."""
        answer = self.ask(key, "POST", IMAGES, BUILD)
        self.assertEqual(answer.status, 202, answer.body)
        id: str = answer.json["build"]["target_images"][0]["id"]
        return id

    def owned_by(self, owner: str | None) -> None:
        """All records of the inventory are this client's."""
        inventory = self.inventory
        for records in (inventory.images_, inventory.builds_, inventory.target_images_, inventory.provider_images_):
            for id, record in records.items():  # type: ignore[attr-defined]
                records[id] = replace(record, owner=owner)  # type: ignore[index]

    def refused(self, key: str, method: str, path: str, fields: dict[str, Any] | None = None) -> None:
        """It is 403, with what to do."""
        answer = self.ask(key, method, path, fields)
        self.assertEqual(answer.status, 403, (method, path, answer.body))
        self.assertIn('"role": "admin"', answer.json["hint"])


ONE_BUILD = f"{IMAGES}/i1/builds/b1"
ONE_TARGET = f"{ONE_BUILD}/target_images/ti1"
CHANGES: tuple[tuple[str, str, dict[str, Any] | None, int], ...] = (
    ("PUT", f"{IMAGES}/i1", BUILD, 202),
    ("PUT", f"{IMAGES}/i1", IMPORT, 200),
    ("POST", IMAGES, {**IMPORT, "image_id": "i1"}, 200),
    ("POST", IMAGES, {**IMPORT, "build_id": "b1"}, 200),
    ("POST", f"{IMAGES}/i1/builds", BUILD, 202),
    ("POST", f"{ONE_BUILD}/target_images", BUILD, 202),
    ("POST", f"{ONE_TARGET}/provider_images", PUSH, 202),
    ("POST", "/imagefactory/provider_images", {**PUSH, "image_id": "i1"}, 202),
    ("POST", "/imagefactory/provider_images", {**PUSH, "build_id": "b1"}, 202),
    ("POST", "/imagefactory/provider_images", {**PUSH, "target_image_id": "ti1"}, 202),
    ("DELETE", f"{ONE_TARGET}/provider_images/pi1?keep_on_provider=1", None, 204),
    ("DELETE", ONE_TARGET, None, 204),
    ("DELETE", ONE_BUILD, None, 204),
    ("DELETE", f"{IMAGES}/i1", None, 204),
)


class RecordTests(OwnershipTestCase):
    """What is stored."""

    def test_others_read_and_change_nothing(self) -> None:
        """Delete, rebuild, import into, add to, push: none of it."""
        self.owned_by("alice")
        for method, path, fields, _ in CHANGES:
            self.refused("bob", method, path, fields)
        self.assertEqual((self.jobs.requests, len(self.inventory.images_)), ([], 1))
        for path in (IMAGES, f"{IMAGES}/i1", ONE_BUILD, f"{ONE_TARGET}/provider_images"):
            self.assertEqual(self.ask("bob", "GET", path).status, 200)

    def test_owners_and_administrators(self) -> None:
        """May all of it, and everybody what has no owner; without checks everybody may."""
        for owner, key, settings in (
            ("alice", "alice", {}),
            ("alice", "root", {}),
            (None, "bob", {}),
            ("alice", "bob", {"ownership": "off"}),
        ):
            self.setUp()
            self.serve(**settings)
            self.owned_by(owner)
            for method, path, fields, status in CHANGES:
                self.assertEqual(self.ask(key, method, path, fields).status, status, (key, path))

    def test_what_is_below(self) -> None:
        """A removal takes it along, so it counts, too."""
        self.inventory.provider_images_["pi1"] = replace(self.inventory.provider_images_["pi1"], owner="alice")
        for path in (ONE_TARGET, ONE_BUILD, f"{IMAGES}/i1"):
            self.refused("bob", "DELETE", path)
            self.assertEqual(self.ask("bob", "DELETE", path.replace("1", "9")).status, 404)

    def test_unknown_images_are_new(self) -> None:
        """A client may choose the id of its image."""
        self.assertEqual(self.ask("bob", "PUT", f"{IMAGES}/new", BUILD).status, 202)


class JobTests(OwnershipTestCase):
    """Jobs, while they run and after."""

    def test_requests_have_an_owner(self) -> None:
        """The key of the client that signed, also of a large request."""
        self.built_by("alice")
        self.ask("bob", "POST", IMAGES, {**BUILD, "ignored": "x" * 100_000})
        self.ask("bob", "POST", IMAGES, IMPORT)
        self.ask("root", "POST", "/imagefactory/provider_images", {**PUSH, "image_id": "i1"})
        self.assertEqual([request.owner for request in self.jobs.requests], ["alice", "bob", "bob", "root"])
        self.ask("bob", "DELETE", f"{ONE_TARGET}/provider_images/pi1?keep_on_provider=1")
        self.assertEqual(self.inventory.removals[0][1].owner, "bob")

    def test_cancel(self) -> None:
        """Of one's own, or as administrator."""
        for key in ("alice", "root"):
            path = f"/imagefactory/builders/{self.built_by('alice')}"
            self.refused("bob", "DELETE", path)
            self.assertEqual(self.ask(key, "DELETE", path).status, 202)

    def test_retry(self) -> None:
        """Likewise."""
        for key in ("alice", "root"):
            id = self.built_by("alice")
            self.jobs.change(id, state=Failed(Failure("no")))
            self.refused("bob", "POST", f"/imagefactory/builders/{id}/retry")
            self.assertEqual(self.ask(key, "POST", f"/imagefactory/builders/{id}/retry").status, 202)
            self.jobs.change(id, state=Completed())

    def test_without_oauth(self) -> None:
        """Nothing has an owner, and everything may be changed."""
        self.serve(no_oauth=True, rest_names=("factory.example",))
        self.owned_by("alice")
        self.build()
        self.assertEqual([request.owner for request in self.jobs.requests], [None])
        self.assertEqual(self.wire.ask("DELETE", f"{IMAGES}/i1").status, 204)
