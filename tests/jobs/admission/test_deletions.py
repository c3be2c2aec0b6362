"""Deletions of images at their providers."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from imagefactory.jobs.interface import DeleteRequest, PushRequest, RetryAccess
from imagefactory.jobs.store.interface import NewJobs
from imagefactory.lib.errors import Conflict, InvalidInput, NotFound, Unavailable
from imagefactory.lib.secret import Secret
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed, Failed, Operation
from tests.jobs.service_case import EC2, UNKNOWN_ID, ServiceCase

CREDENTIALS = Credentials("ec2_credentials", {"secret": Secret("hush")})


class DeletionTests(ServiceCase):
    """Jobs that delete."""

    def setUp(self) -> None:
        super().setUp()
        (built,) = self.build("ec2")
        self.builder.running[built].finish()
        self.image = built
        self.pushed = self.get(self.jobs.push(PushRequest(EC2, CREDENTIALS, target_image_id=built))).id
        self.pusher.running[self.pushed].finish()
        self.request = DeleteRequest(self.pushed, EC2, CREDENTIALS)

    def test_a_job(self) -> None:
        """It has an id and a state of its own, names what it deletes, and the record goes last."""
        job = self.get(self.jobs.delete(self.request))
        self.assertEqual(self.job(job.id).state.wire, "DELETING")
        shown = (job.operation, job.provider_image_id, job.target_image_id, job.provider, job.target)
        self.assertEqual(shown, (Operation.DELETE, self.pushed, self.image, "ec2-us-east-1", "ec2"))
        self.assertEqual((job.image_id, job.build_id), (self.job(self.image).image_id, self.job(self.image).build_id))
        self.assertIn(self.pushed, self.records.all_provider_images)
        latest = self.records.images[job.image_id]
        self.pusher.running[job.id].finish()
        self.assertIsInstance(self.job(job.id).state, Completed)
        self.assertNotIn(self.pushed, self.records.all_provider_images)
        self.assertEqual(self.records.images[job.image_id], latest)

    def test_refused(self) -> None:
        """An unknown image, missing credentials, an image that is being pushed or deleted: no job."""
        known = len(self.listed())
        self.refused(self.jobs.delete(DeleteRequest(UNKNOWN_ID, EC2, CREDENTIALS)), NotFound)
        self.refused(self.jobs.delete(DeleteRequest(self.pushed, EC2)), InvalidInput)
        self.assertEqual(len(self.listed()), known)
        self.get(self.jobs.delete(self.request))
        self.refused(self.jobs.delete(self.request), Conflict)

    def test_two_at_the_same_time(self) -> None:
        """While the job of the first is being stored the second waits, and is refused then."""
        job = self.get(self.jobs.delete(self.request))
        self.pusher.running[job.id].fail(Unavailable("the cloud does not answer"))
        stored, create = Deferred[None](), self.store.create

        async def slow(new: NewJobs) -> None:
            await stored
            await create(new)

        self.patch(self.store, "create", slow)
        first = Deferred.fromCoroutine(self.jobs.delete(self.request))
        second = Deferred.fromCoroutine(self.jobs.delete(self.request))
        retry = Deferred.fromCoroutine(self.jobs.retry(job.id, RetryAccess(EC2, CREDENTIALS)))
        stored.callback(None)
        self.successResultOf(first)
        self.failureResultOf(second, Conflict)
        self.failureResultOf(retry, Conflict)

    def test_it_waits_with_the_pushes(self) -> None:
        """Of one target no more work at once than it allows."""
        for _ in range(2):
            self.get(self.jobs.push(PushRequest(EC2, CREDENTIALS, target_image_id=self.image)))
        self.assertEqual(self.position(self.get(self.jobs.delete(self.request)).id), 1)

    def test_a_failure_and_a_retry(self) -> None:
        """The record stays, the class of the error is known, and credentials given again delete it after all."""
        job = self.get(self.jobs.delete(self.request))
        self.pusher.running[job.id].fail(Unavailable("the cloud does not answer", hint="wait"))
        state = self.job(job.id).state
        assert isinstance(state, Failed)
        self.assertEqual((state.failure.kind, state.failure.hint), ("Unavailable", "wait"))
        self.assertIn(self.pushed, self.records.all_provider_images)
        self.refused(self.jobs.retry(job.id), Conflict)
        self.get(self.jobs.retry(job.id, RetryAccess(EC2, CREDENTIALS)))
        self.pusher.running[job.id].finish()
        self.assertIsInstance(self.job(job.id).state, Completed)
        self.assertNotIn(self.pushed, self.records.all_provider_images)

    def test_a_killed_process(self) -> None:
        """The job is FAILED and says what to do; once the image is deleted otherwise, a retry has nothing to do."""
        job = self.get(self.jobs.delete(self.request))
        self.restart()
        state = self.job(job.id).state
        assert isinstance(state, Failed)
        self.assertIn("with the credentials", state.failure.hint)
        del self.records.all_provider_images[self.pushed]
        self.refused(self.jobs.retry(job.id, RetryAccess(EC2, CREDENTIALS)), NotFound)
