"""Pushes."""

from dataclasses import replace

from imagefactory.jobs.interface import ImportRequest, PushRequest, RetryAccess
from imagefactory.lib.errors import (
    Conflict,
    InvalidInput,
    NotFound,
)
from imagefactory.lib.secret import Secret
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed, Failed, Queued
from tests.jobs.service_case import EC2, MOCK, UNKNOWN_ID, ServiceCase


class PushTests(ServiceCase):
    """Pushes."""

    def setUp(self) -> None:
        super().setUp()
        self.mock, self.ec2 = self.build("mock", "ec2")
        for id in (self.mock, self.ec2):
            self.builder.running[id].finish()
        self.image, self.built = self.job(self.mock).image_id, self.job(self.mock).build_id

    def test_that_very_image(self) -> None:
        """A target image id is honoured."""
        (other,) = self.build("mock", build_id=self.built)
        self.builder.running[other].finish()
        job = self.get(self.jobs.push(PushRequest(MOCK, target_image_id=self.mock)))
        self.assertEqual((self.mock, self.mock), (job.target_image_id, self.pusher.orders[0].target_image_id))

    def test_the_image_of_a_build(self) -> None:
        """Build and provider decide; the account is known before the work begins."""
        job = self.get(self.jobs.push(PushRequest(MOCK, build_id=self.built)))
        self.assertEqual((self.mock, "mock-here"), (job.target_image_id, job.provider))
        self.assertEqual("account of mock-here", job.provider_account_identifier)
        self.assertEqual("PUSHING", self.job(job.id).state.wire)

    def test_again_after_the_push(self) -> None:
        """An image without unpushed build pushes its latest one again."""
        for _ in range(2):
            job = self.get(self.jobs.push(PushRequest(MOCK, image_id=self.image)))
            self.pusher.running[job.id].finish()
            self.assertEqual(self.built, job.build_id)

    def test_all_or_none(self) -> None:
        """Of several pushes none begins if one cannot."""
        good, bad = PushRequest(MOCK, image_id=self.image), PushRequest(EC2, image_id=UNKNOWN_ID)
        self.refused(self.jobs.push_all([good, bad]), InvalidInput)
        self.assertEqual(0, len(self.pusher.orders))
        self.assertEqual(2, len(self.get(self.jobs.push_all([good, good]))))
        self.assertEqual(2, len(self.pusher.orders))

    def test_wrong_target(self) -> None:
        """A mock image is not pushed to ec2."""
        credentials = Credentials("ec2_credentials", {})
        self.refused(self.jobs.push(PushRequest(EC2, credentials, target_image_id=self.mock)), InvalidInput)

    def test_an_imported_image(self) -> None:
        """Has no file that could be pushed; one that was built for the same build and target has."""
        request = ImportRequest("mock", MOCK, "some-id", None)
        imported = self.get(self.jobs.import_image(request))
        for request in ({"target_image_id": imported.target_image_id}, {"image_id": imported.image_id}):
            refusal = self.refused(self.jobs.push(PushRequest(MOCK, **request)), InvalidInput)
            self.assertIn("was imported", refusal.message)
        (id,) = self.build("mock", build_id=imported.build_id)
        self.builder.running[id].finish()
        job = self.get(self.jobs.push(PushRequest(MOCK, build_id=imported.build_id)))
        self.assertEqual(job.target_image_id, id)

    def test_ids_that_do_not_belong_together(self) -> None:
        """Are a mistake of the caller, whichever of them would be enough."""
        (other,) = self.build()
        image, build = self.job(other).image_id, self.job(other).build_id
        for wrong in (
            {"target_image_id": self.mock, "build_id": build},
            {"target_image_id": self.mock, "image_id": image},
            {"build_id": self.built, "image_id": image},
        ):
            self.refused(self.jobs.push(PushRequest(MOCK, **wrong)), InvalidInput)
        right = PushRequest(MOCK, image_id=self.image, build_id=self.built.upper(), target_image_id=self.mock.upper())
        self.assertEqual(self.get(self.jobs.push(right)).target_image_id, self.mock)

    def test_bad_credentials(self) -> None:
        """They are judged at once."""
        self.refused(self.jobs.push(PushRequest(EC2, image_id=self.image)), InvalidInput)

    def test_nothing_to_push(self) -> None:
        """Unknown images and builds are said to be so."""
        self.refused(self.jobs.push(PushRequest(MOCK, image_id=UNKNOWN_ID)), NotFound)
        self.refused(self.jobs.push(PushRequest(MOCK, build_id=UNKNOWN_ID)), NotFound)
        self.refused(self.jobs.push(PushRequest(MOCK, target_image_id=UNKNOWN_ID)), NotFound)
        self.refused(self.jobs.push(PushRequest(MOCK)), InvalidInput)

    def test_an_unfinished_build(self) -> None:
        """An image that is still being built is a conflict, not unknown."""
        (busy,) = self.build()
        self.refused(self.jobs.push(PushRequest(MOCK, target_image_id=busy)), Conflict)
        self.refused(self.jobs.push(PushRequest(MOCK, build_id=self.job(busy).build_id)), Conflict)

    def test_ec2_pushes_wait(self) -> None:
        """They have a queue of their own; others do not wait."""
        credentials = Credentials("ec2_credentials", {"secret": Secret("hush")})
        request = PushRequest(EC2, credentials, target_image_id=self.ec2)
        jobs = [self.get(self.jobs.push(request)) for _ in range(3)]
        self.assertEqual([None, None, 1], [self.position(job.id) for job in jobs])
        other = self.get(self.jobs.push(PushRequest(MOCK, image_id=self.image)))
        self.assertIsNone(self.position(other.id))

    def test_credentials_are_not_kept(self) -> None:
        """Nothing secret is in the store, and an interrupted push is FAILED and cannot be retried."""
        credentials = Credentials("ec2_credentials", {"secret": Secret("hush")})
        job = self.get(self.jobs.push(PushRequest(EC2, credentials, target_image_id=self.ec2)))
        self.restart()
        state = self.job(job.id).state
        assert isinstance(state, Failed)
        self.assertIn("the daemon was stopped", state.failure.message)
        self.assertIn("credentials", self.refused(self.jobs.retry(job.id), Conflict).hint)
        self.assertEqual("", self.get(self.store.request(job.id)))

    def test_a_retry_with_credentials(self) -> None:
        """Under the same id, with credentials given again; it ends as any push does, and then is final."""
        credentials = Credentials("ec2_credentials", {"secret": Secret("hush")})
        job = self.get(self.jobs.push(PushRequest(EC2, credentials, target_image_id=self.ec2)))
        self.restart()
        again = self.get(self.jobs.retry(job.id, RetryAccess(EC2, credentials)))
        self.assertEqual((again.id, again.state), (job.id, Queued()))
        self.assertEqual(self.pusher.orders[-1].credentials, credentials)
        self.pusher.running[job.id].finish()
        self.assertIsInstance(self.job(job.id).state, Completed)
        self.assertEqual(self.records.images[self.image].latest_build, self.built)
        self.refused(self.jobs.retry(job.id, RetryAccess(EC2, credentials)), Conflict)

    def test_a_retry_of_something_else(self) -> None:
        """Another provider or account, a deleted image, no credentials: the push stays FAILED."""
        job = self.get(self.jobs.push(PushRequest(MOCK, target_image_id=self.mock)))
        self.restart()
        self.refused(self.jobs.retry(job.id, RetryAccess(EC2)), InvalidInput)
        self.refused(self.jobs.retry(job.id, RetryAccess(replace(MOCK, name="elsewhere"))), InvalidInput)
        self.pusher.account = lambda *_: "another account"  # type: ignore[method-assign]
        error = self.refused(self.jobs.retry(job.id, RetryAccess(MOCK)), InvalidInput)
        self.assertIn("another account", str(error))
        del self.pusher.account  # type: ignore[method-assign]
        del self.records.all_target_images[self.mock]
        self.refused(self.jobs.retry(job.id, RetryAccess(MOCK)), Conflict)
        self.assertIsInstance(self.job(job.id).state, Failed)
        self.assertEqual(self.pusher.orders, [])
