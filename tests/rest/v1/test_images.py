"""Building, rebuilding, importing, looking, removing."""

from dataclasses import replace

from twisted.internet.defer import Deferred

from imagefactory.jobs.interface import BuildRequest, ImportRequest
from tests.rest.service import TEMPLATE, ServiceTestCase

IMAGES = "/imagefactory/images"
BASE = "http://factory.example:8075"
UNSEEN = "3e9b1d14-0000-4000-8000-aaaaaaaaaaaa"
IMPORT = {
    "target_name": "mock",
    "provider_name": "mock1",
    "target_identifier": "ami-1",
    "image_descriptor": "<image><name>x</name></image>",
}


class BuildTests(ServiceTestCase):
    """POST and PUT of images."""

    def request(self) -> BuildRequest:
        """What the job service was asked for last."""
        request = self.jobs.requests[-1]
        assert isinstance(request, BuildRequest)
        return request

    def test_a_build_is_accepted_with_all_ids_and_links(self) -> None:
        """202, nested image, build and target images, each with `_type`, id and an href that resolves."""
        answer = self.wire.json("POST", IMAGES, {"template": TEMPLATE, "targets": "mock, ec2"})
        self.assertEqual((answer.status, answer.headers["content-type"]), (202, "application/json"))
        image = answer.json
        build, images = image["build"], image["build"]["target_images"]
        self.assertEqual(
            [image["_type"], build["_type"], *(each["_type"] for each in images)][:3],
            ["image", "build", "target_image"],
        )
        self.assertEqual(image["href"], f"{BASE}{IMAGES}/{image['id']}")
        self.assertEqual(build["href"], f"{image['href']}/builds/{build['id']}")
        self.assertEqual(
            [each["href"] for each in images], [f"{build['href']}/target_images/{each['id']}" for each in images]
        )
        self.assertEqual(self.request().targets, ("mock", "ec2"))
        self.assertEqual(self.wire.ask("GET", images[1]["href"].removeprefix(BASE)).json["target"], "ec2")

    def test_put_of_an_image_never_seen_before(self) -> None:
        """What Conductor does: the image exists in its own books only."""
        body = {"image": {"id": UNSEEN, "targets": "mock", "template": TEMPLATE}}
        answer = self.wire.json("PUT", f"{IMAGES}/{UNSEEN}", body)
        self.assertEqual((answer.status, answer.json["id"]), (202, UNSEEN))
        self.assertEqual(answer.json["href"], f"{BASE}{IMAGES}/{UNSEEN}")
        self.assertEqual(self.request().image_id, UNSEEN)

    def test_build_id_adds_targets_to_a_build(self) -> None:
        """With an image in the address; without one it is refused; empty means absent."""
        body = {"template": TEMPLATE, "targets": "mock", "build_id": "b1"}
        self.assertEqual(self.wire.json("PUT", f"{IMAGES}/i1", body).json["build"]["id"], "b1")
        self.assertEqual(self.wire.json("POST", IMAGES, body).status, 400)
        self.assertEqual(self.wire.json("POST", IMAGES, {**body, "build_id": ""}).status, 202)
        self.assertIsNone(self.request().build_id)

    def test_collections_take_posts_too(self) -> None:
        """POST of builds rebuilds, POST of target images adds to the build in the address."""
        body = {"template": TEMPLATE, "targets": "mock"}
        self.assertEqual(self.wire.json("POST", f"{IMAGES}/i1/builds", body).status, 202)
        self.assertEqual(self.request().image_id, "i1")
        self.wire.json("POST", f"{IMAGES}/i1/builds/b1/target_images", body)
        self.assertEqual(self.request().build_id, "b1")

    def test_links_are_right_behind_a_query_and_a_trailing_slash(self) -> None:
        """Version 1.0 put both into every link."""
        answer = self.wire.json("POST", f"{IMAGES}/?x=1", {"template": TEMPLATE, "targets": "mock"})
        self.assertEqual(answer.json["href"], f"{BASE}{IMAGES}/{answer.json['id']}")

    def test_too_little_is_told(self) -> None:
        """Neither a build nor an import: 400 saying what both need."""
        for body in ({"template": TEMPLATE}, {"targets": "mock"}, {"template": "", "targets": "mock", "x": "1"}, {}):
            answer = self.wire.json("POST", IMAGES, body)
            self.assertEqual(answer.status, 400)
            self.assertIn("template and targets", answer.json["error"])

    def test_unknown_target_is_the_callers_mistake(self) -> None:
        """400 with the known ones, and nothing started."""
        answer = self.wire.json("POST", IMAGES, {"template": TEMPLATE, "targets": "mock,ec3"})
        self.assertEqual((answer.status, answer.json["hint"]), (400, "known: mock, ec2"))
        self.assertEqual(self.jobs.requests, [])

    def test_a_bad_template_is_not_echoed(self) -> None:
        """A path, or anything else that is no template, does not come back."""
        answer = self.wire.json("POST", IMAGES, {"template": "/etc/passwd", "targets": "mock"})
        self.assertEqual(answer.status, 400)
        self.assertNotIn(b"passwd", answer.body)

    def test_a_client_that_hangs_up_does_not_stop_the_admission(self) -> None:
        """The job is accepted although the client is gone."""
        self.jobs.slow = Deferred()
        self.wire.send(
            b"POST /imagefactory/images HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 65\r\n\r\n" + b'{"targets": "mock", "template": "<template>some</template>"}     '
        )
        self.wire.hang_up()
        self.jobs.slow.callback(None)
        self.assertEqual(len(self.jobs), 1)


class ImportTests(ServiceTestCase):
    """Import by POST and PUT."""

    def test_import_answers_with_the_provider_image(self) -> None:
        """200, one target image with one provider image, all with ids."""
        answer = self.wire.form("POST", IMAGES, IMPORT)
        target_image = answer.json["build"]["target_images"][0]
        provider_image = target_image["provider_images"][0]
        self.assertEqual((answer.status, provider_image["_type"]), (200, "provider_image"))
        self.assertEqual(provider_image["href"], f"{target_image['href']}/provider_images/{provider_image['id']}")

    def test_put_imports_into_the_image_of_the_address(self) -> None:
        """Version 1.0 lost the id of the address."""
        answer = self.wire.json("PUT", f"{IMAGES}/i1", {**IMPORT, "image_id": "other", "build_id": "b1"})
        self.assertEqual((answer.json["id"], answer.json["build"]["id"]), ("i1", "b1"))

    def test_the_provider_has_to_be_known(self) -> None:
        """As for a push."""
        answer = self.wire.json("POST", IMAGES, {**IMPORT, "provider_name": "elsewhere"})
        self.assertEqual((answer.status, self.jobs.requests), (400, []))

    def test_post_imports_into_the_image_of_the_body(self) -> None:
        """The id in the body counts where the address has none."""
        self.wire.json("POST", IMAGES, {**IMPORT, "image_id": "i1"})
        request = self.jobs.requests[-1]
        assert isinstance(request, ImportRequest)
        self.assertEqual((request.image_id, request.descriptor), ("i1", b"<image><name>x</name></image>"))


class StoredTests(ServiceTestCase):
    """What version 1.0 answered with 501."""

    def test_lists_and_details(self) -> None:
        """Images, builds and target images, from the top to the bottom by their links."""
        images = self.wire.ask("GET", IMAGES).json["images"]
        image = self.wire.ask("GET", images[0]["href"].removeprefix(BASE)).json
        self.assertEqual((image["_type"], image["latest_build"]), ("image", "b1"))
        build = self.wire.ask("GET", image["builds"][0]["href"].removeprefix(BASE)).json
        self.assertEqual(build["created"], "1970-01-01T00:16:40.000Z")
        self.assertEqual(build["target_images"][0]["size"], 7)
        self.assertEqual(self.wire.ask("GET", f"{IMAGES}/i1/builds").json["builds"][0]["id"], "b1")
        listed = self.wire.ask("GET", f"{IMAGES}/i1/builds/b1/target_images").json
        self.assertEqual(listed["target_images"], build["target_images"])

    def test_pages(self) -> None:
        """At most so many, from above an id."""
        self.inventory.images_["i0"] = replace(self.inventory.images_["i1"], id="i0")
        for query, ids in (("", ["i0", "i1"]), ("?limit=1", ["i0"]), ("?after=i0&limit=5", ["i1"]), ("?after=i1", [])):
            images = self.wire.ask("GET", IMAGES + query).json["images"]
            self.assertEqual([image["id"] for image in images], ids, query)
        self.assertEqual(self.wire.ask("GET", IMAGES + "?limit=0").status, 400)
        self.assertEqual(self.wire.ask("GET", "/imagefactory/provider_images?after=pi1").json["provider_images"], [])

    def test_unknown_ones_are_not_found(self) -> None:
        """404 as JSON, for details and for lists below something unknown."""
        for path in ("/no", "/no/builds", "/i1/builds/no", "/i1/builds/no/target_images"):
            answer = self.wire.ask("GET", IMAGES + path)
            self.assertEqual((answer.status, sorted(answer.json)), (404, ["error", "hint", "incident"]))

    def test_removing_by_a_wrong_address(self) -> None:
        """What is not a child of the ids before it is not found, and stays."""
        self.inventory.images_["i2"] = replace(self.inventory.images_["i1"], id="i2")
        self.inventory.builds_["b2"] = replace(self.inventory.builds_["b1"], id="b2", image="i2")
        self.inventory.target_images_["ti2"] = replace(self.inventory.target_images_["ti1"], id="ti2", build="b2")
        for path in (
            "/i2/builds/b1",
            "/i2/builds/b1/target_images/ti1",
            "/i1/builds/b2/target_images/ti1",
            "/i2/builds/b2/target_images/ti1",
            "/i2/builds/b2/target_images/ti2/provider_images/pi1?keep_on_provider=1",
            "/i2/builds/b1/target_images/ti1/provider_images/pi1?keep_on_provider=1",
        ):
            self.assertEqual(self.wire.ask("DELETE", IMAGES + path).status, 404, path)
        left = (self.inventory.builds_, self.inventory.target_images_, self.inventory.provider_images_)
        self.assertEqual([len(records) for records in left], [2, 2, 1])

    def test_removing(self) -> None:
        """204 without a body; 409 while in use; 404 after."""
        self.inventory.in_use.add("i1")
        self.assertEqual(self.wire.ask("DELETE", f"{IMAGES}/i1").status, 409)
        self.inventory.in_use.clear()
        for path in ("/i1/builds/b1/target_images/ti1", "/i1/builds/b1", "/i1"):
            answer = self.wire.ask("DELETE", IMAGES + path)
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertEqual(self.wire.ask("DELETE", IMAGES + path).status, 404)
