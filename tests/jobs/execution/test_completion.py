"""Which build is whose parent, and the latest; rebuilding and importing."""

from collections.abc import Coroutine
from dataclasses import replace
from itertools import cycle
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.execution.completion import TRIES, LatestBuild
from imagefactory.jobs.interface import BuildRequest, ImportRequest, PushRequest
from imagefactory.lib.errors import (
    BuildFailed,
    InvalidInput,
)
from imagefactory.model.records import BuildRecord, ImageRecord
from imagefactory.testing.jobs import MemoryRecords, template
from imagefactory.warehouse.interface import Changed
from tests.jobs.service_case import EC2, MOCK, UNKNOWN_ID, ServiceCase


class RebuildTests(ServiceCase):
    """Building an image again, and adding to a build."""

    def test_the_last_build_is_repeated(self) -> None:
        """Without template and targets those of the last build are used."""
        a, b = self.build("mock", "ec2")
        image = self.job(a).image_id
        for id in (a, b):
            self.builder.running[id].finish()
        again = self.get(self.jobs.build(BuildRequest(None, image_id=image)))
        self.assertEqual((image, ["ec2", "mock"]), (again.image_id, [job.target for job in again.jobs]))
        self.assertEqual(1, len(self.records.templates))

    def test_what_was_asked_for_is_repeated(self) -> None:
        """Targets that failed, too: also when none was completed."""
        a, b = self.build("mock", "ec2")
        image = self.job(a).image_id
        self.get(self.jobs.cancel(b))
        self.get(self.jobs.cancel(a))
        again = self.get(self.jobs.build(BuildRequest(None, image_id=image)))
        self.assertEqual(["ec2", "mock"], [job.target for job in again.jobs])
        first, second = (job.id for job in again.jobs)
        self.get(self.jobs.cancel(first))
        self.builder.running[second].finish()
        again = self.get(self.jobs.build(BuildRequest(None, image_id=image)))
        self.assertEqual(["ec2", "mock"], [job.target for job in again.jobs])

    def test_an_image_never_seen(self) -> None:
        """Clients bring ids of their own for new images."""
        (id,) = self.build(image_id=UNKNOWN_ID)
        self.assertEqual(UNKNOWN_ID, self.job(id).image_id)
        self.assertIn(UNKNOWN_ID, self.records.images)

    def test_targets_are_added(self) -> None:
        """With a build id, the new target belongs to that build."""
        (a,) = self.build()
        (b,) = self.build("ec2", build_id=self.job(a).build_id)
        self.assertEqual(self.job(a).build_id, self.job(b).build_id)
        self.assertEqual(1, len(self.records.all_builds))

    def test_another_images_build(self) -> None:
        """A build of another image is refused."""
        (a,) = self.build()
        build = self.job(a).build_id
        wrong = BuildRequest(template(), ("ec2",), image_id=UNKNOWN_ID, build_id=build)
        self.refused(self.jobs.build(wrong), InvalidInput)


class LatestBuildTests(ServiceCase):
    """Which build an image's pointers name."""

    def image(self, job: str) -> tuple[str | None, str | None]:
        image = self.records.images[self.job(job).image_id]
        return image.latest_build, image.latest_unpushed

    def test_one_target_of_two_fails(self) -> None:
        """The build counts as soon as all have ended, for the sake of the one that completed."""
        a, b = self.build("mock", "ec2")
        self.builder.running[a].finish()
        self.assertEqual((None, None), self.image(a))
        self.builder.running[b].fail(BuildFailed("no"))
        self.assertEqual((None, self.job(a).build_id), self.image(a))

    def test_all_fail(self) -> None:
        """A build without any image is not the latest."""
        (a,) = self.build()
        self.builder.running[a].fail(BuildFailed("no"))
        self.assertEqual((None, None), self.image(a))

    def test_parents(self) -> None:
        """The next build's parent is the one before it, or nothing: never a text None."""
        (a,) = self.build()
        self.builder.running[a].finish()
        (b,) = self.build(image_id=self.job(a).image_id)
        self.builder.running[b].finish()
        first, second = self.job(a).build_id, self.job(b).build_id
        self.assertIsNone(self.records.all_builds[first].parent)
        self.assertEqual(first, self.records.all_builds[second].parent)

    def test_a_late_retry_is_not_the_latest(self) -> None:
        """A retry of an older build leaves the newer one in its place."""
        (a,) = self.build()
        self.builder.running[a].fail(BuildFailed("no"))
        self.clock.advance(10)
        (b,) = self.build(image_id=self.job(a).image_id)
        self.builder.running[b].finish()
        self.get(self.jobs.retry(a))
        self.builder.running[a].finish()
        self.assertEqual((None, self.job(b).build_id), self.image(a))

    def test_a_push_makes_it_the_latest_build(self) -> None:
        """After a push the build is `latest_build`, and nothing is unpushed."""
        (a,) = self.build()
        self.builder.running[a].finish()
        job = self.get(self.jobs.push(PushRequest(MOCK, image_id=self.job(a).image_id)))
        self.pusher.running[job.id].finish()
        self.assertEqual((self.job(a).build_id, None), self.image(a))


class ConcurrentChangeTests(SynchronousTestCase):
    """Two processes that move the pointers of one image."""

    def setUp(self) -> None:
        self.records = MemoryRecords()
        self.records.images["i"] = ImageRecord("i", b"<image/>", "t")
        for number, id in enumerate(("b1", "b2", "b3")):
            self.records.all_builds[id] = BuildRecord(id, "i", float(number))
        self.latest = LatestBuild(self.records)

    def meanwhile(self, *changes: Coroutine[Any, Any, None]) -> None:
        """Let each of these happen between one reading and the writing after it."""
        left, read = list(changes), self.records.build

        async def build(id: str) -> BuildRecord | None:
            found = await read(id)
            if left:
                await left.pop(0)
            return found

        self.records.build = build  # type: ignore[method-assign]

    def test_a_build_beside_a_push(self) -> None:
        """Both pointers move; the build's parent is the one that was pushed."""
        other = LatestBuild(self.records)
        self.meanwhile(other.pushed("i", "b1"))
        self.successResultOf(Deferred.fromCoroutine(self.latest.built("i", "b2")))
        image = self.records.images["i"]
        self.assertEqual((image.latest_build, image.latest_unpushed), ("b1", "b2"))
        self.assertEqual(self.records.all_builds["b2"].parent, "b1")

    def test_an_older_build_is_not_the_latest(self) -> None:
        """A newer build that ended meanwhile stays the latest."""
        self.meanwhile(LatestBuild(self.records).built("i", "b3"))
        self.successResultOf(Deferred.fromCoroutine(self.latest.built("i", "b2")))
        self.assertEqual(self.records.images["i"].latest_unpushed, "b3")

    def test_an_image_that_changes_all_the_time(self) -> None:
        """It is given up, with the reason."""
        ids = cycle(("b2", "b3"))

        async def change() -> None:
            image = self.records.images["i"]
            self.records.images["i"] = replace(image, latest_build=next(ids))

        self.meanwhile(*(change() for _ in range(TRIES)))
        self.failureResultOf(Deferred.fromCoroutine(self.latest.pushed("i", "b1")), Changed)


class ImportTests(ServiceCase):
    """Imports."""

    REQUEST = ImportRequest("ec2", EC2, "ami-123", b"<image><name>x</name></image>")

    def test_records_and_ids(self) -> None:
        """All four ids are real, and the import is the image's latest build."""
        imported = self.get(self.jobs.import_image(self.REQUEST))
        self.assertEqual(imported.build_id, self.records.images[imported.image_id].latest_build)
        self.assertEqual("ami-123", self.records.all_provider_images[imported.provider_image_id].target_identifier)

    def test_again(self) -> None:
        """The same provider image imported again keeps its ids and gets the new identifier."""
        first = self.get(self.jobs.import_image(self.REQUEST))
        given = replace(self.REQUEST, image_id=first.image_id.upper(), build_id=first.build_id.upper())
        request = replace(given, target_identifier="ami-456")
        self.assertEqual(first, self.get(self.jobs.import_image(request)))
        self.assertEqual("ami-456", self.records.all_provider_images[first.provider_image_id].target_identifier)
        self.assertIsNone(self.records.all_builds[first.build_id].parent)

    def test_bad_requests(self) -> None:
        """Unknown target, bad descriptor, empty identifier: refused, nothing stored."""
        for wrong in (
            replace(self.REQUEST, target="ec3"),
            replace(self.REQUEST, descriptor=b"<image>"),
            replace(self.REQUEST, descriptor=b"<image/>"),
            replace(self.REQUEST, descriptor=b"<!DOCTYPE image><image><name>x</name></image>"),
            replace(self.REQUEST, target="mock"),
            replace(self.REQUEST, target_identifier=""),
            replace(self.REQUEST, image_id="x"),
        ):
            self.refused(self.jobs.import_image(wrong), InvalidInput)
        self.assertEqual({}, self.records.images)
