"""Listing and removing what is stored."""

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.jobs.interface import DeleteRequest, Removal
from imagefactory.jobs.inventory import Inventory
from imagefactory.lib.errors import Conflict, FactoryError, InvalidInput, NotFound, Unavailable
from imagefactory.model.credentials import Credentials
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation, is_final
from imagefactory.model.providers import Provider
from imagefactory.model.records import BuildRecord, ImageRecord, Kind, ProviderImageRecord, TargetImageRecord
from imagefactory.testing.threads import ImmediateThreads
from imagefactory.warehouse.records import Records
from imagefactory.warehouse.store.embedded import EmbeddedWarehouse, open_store

T = TypeVar("T")
CREDENTIALS = Credentials("ec2_credentials", {})


class FakeCloud:
    """A cloud, its target and its push side; `removed` notes what was deleted there."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.asked: list[Provider] = []
        self.failure: FactoryError | None = None
        self.pushing: FakeCloud | None = self

    def target(self, name: str) -> Any:
        return self

    async def provider(self, text: str) -> Provider:
        return Provider(text, "ec2")

    def account(self, credentials: Credentials | None, provider: Provider) -> str:
        if credentials is None:
            raise InvalidInput("credentials are needed")
        return "account"

    async def delete(self, identifier: str, provider: Provider, credentials: Credentials | None) -> None:
        if self.failure is not None:
            raise self.failure
        self.removed.append(identifier)
        self.asked.append(provider)


class FakeJobs:
    """Some jobs; deletions are done at once."""

    def __init__(self, cloud: FakeCloud, records: Records) -> None:
        self.all: list[Job] = []
        self._cloud = cloud
        self._records = records

    async def delete(self, request: DeleteRequest) -> Job:
        account = self._cloud.account(request.credentials, request.provider)
        id = request.provider_image_id
        job = Job(f"d{len(self.all)}", Operation.DELETE, "ec2", "i", "b", 1.0, provider_account_identifier=account)
        record = await self._records.provider_image(id)
        assert record is not None
        try:
            await self._cloud.delete(record.target_identifier or "", request.provider, request.credentials)
        except FactoryError as error:
            self.all.append(replace(job, state=Failed(Failure(str(error), error.hint, kind=type(error).__name__))))
        else:
            await self._records.delete(Kind.PROVIDER_IMAGE, id)
            self.all.append(replace(job, state=Completed()))
        return job

    async def finished(self, id: str) -> Job:
        return next(job for job in self.all if job.id == id)

    async def jobs(self) -> Sequence[Job]:
        return self.all

    async def unfinished(self) -> Sequence[Job]:
        return [job for job in self.all if not is_final(job.state)]


class CatalogueTests(SynchronousTestCase):
    """One image, one build, one target image with its ICICLE, one provider image."""

    def setUp(self) -> None:
        threads = ImmediateThreads()
        self.records = Records(EmbeddedWarehouse(open_store(Path(self.mktemp())), threads))
        self.cloud = FakeCloud()
        self.jobs = FakeJobs(self.cloud, self.records)
        self.inventory = Inventory(self.records, self.jobs, self.cloud)  # type: ignore[arg-type]
        self.get(self.records.store_image(ImageRecord("i", b"<image/>", latest_build="b", latest_unpushed="b")))
        self.get(self.records.store_build(BuildRecord("b", "i", 1.0)))
        self.get(self.records.store_icicle("c", b"<icicle/>"))
        self.get(self.records.store_target_image(TargetImageRecord("t", "b", "ec2", icicle="c"), b"disk"))
        self.get(self.records.store_provider_image(ProviderImageRecord("p", "t", "ec2-us-east-1", "ami-1")))

    def get(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def refused(self, work: Coroutine[Any, Any, object], kind: type[FactoryError]) -> None:
        self.failureResultOf(Deferred.fromCoroutine(work), kind)

    def left(self) -> dict[str, list[str]]:
        """What is stored, by kind."""
        found = {kind.value: self.get(self.records.ids(kind)) for kind in Kind}
        return {kind: keys for kind, keys in found.items() if keys}

    def test_lists(self) -> None:
        """From the top down."""
        self.assertEqual(["i"], [record.id for record in self.get(self.inventory.images())])
        self.assertEqual(["b"], [record.id for record in self.get(self.inventory.builds("i"))])
        self.assertEqual(["t"], [record.id for record in self.get(self.inventory.target_images("b"))])
        for found in (self.inventory.provider_images("t"), self.inventory.every_provider_image()):
            self.assertEqual(["p"], [record.id for record in self.get(found)])

    def test_pages(self) -> None:
        """In order of the ids, from above one, at most so many; descriptors are those of their images."""
        for id in ("n", "k"):
            self.get(self.records.store_image(ImageRecord(id, f"<image>{id}</image>".encode())))
            self.get(self.records.store_provider_image(ProviderImageRecord(id, "t", "ec2-us-east-1", id)))
        self.assertEqual(["i", "k", "n"], [image.id for image in self.get(self.inventory.images())])
        (image,) = self.get(self.inventory.images(after="i", limit=1))
        self.assertEqual(ImageRecord("k", b"<image>k</image>"), image)
        (last,) = self.get(self.inventory.every_provider_image(after="n"))
        self.assertEqual("p", last.id)

    def test_unknown(self) -> None:
        """Each lookup and each removal says so."""
        inventory = self.inventory
        for call in (inventory.image, inventory.build, inventory.target_image, inventory.provider_image):
            self.refused(call("x"), NotFound)
        for delete in (inventory.delete_image, inventory.delete_build, inventory.delete_target_image):
            self.refused(delete("x"), NotFound)
        self.refused(inventory.delete_provider_image("x", Removal()), NotFound)

    def test_an_image_with_everything(self) -> None:
        """Nothing is left of it."""
        self.get(self.inventory.delete_image("i"))
        self.assertEqual({}, self.left())

    def test_the_templates_of_an_image(self) -> None:
        """Go with it, unless another image, a job, or the one who put them there, needs them."""
        for id in ("own", "second", "shared", "wanted"):
            self.get(self.records.store_template(id, b"<template/>"))
        self.get(self.records.warehouse.put("templates", "theirs", b"<template/>", {}))
        for number, id in enumerate(("second", "shared", "wanted", "theirs")):
            self.get(self.records.store_target_image(TargetImageRecord(f"t{number}", "b", "ec2", id)))
        self.get(self.records.store_image(ImageRecord("i", b"<image/>", "own")))
        self.get(self.records.store_image(ImageRecord("j", b"<image/>", "shared")))
        self.jobs.all = [Job("x", Operation.BUILD, "ec2", "j", "c", 1.0, template_id="wanted")]
        self.get(self.inventory.delete_image("i"))
        self.assertEqual({"image": ["j"], "template": ["shared", "theirs", "wanted"]}, self.left())

    def test_a_build(self) -> None:
        """Its image stays, and names it no more."""
        self.get(self.inventory.delete_build("b"))
        self.assertEqual({"image": ["i"]}, self.left())
        self.assertEqual(ImageRecord("i", b"<image/>"), self.get(self.inventory.image("i")))

    def test_a_target_image(self) -> None:
        """With its ICICLE and its provider images."""
        self.get(self.inventory.delete_target_image("t"))
        self.assertEqual({"image": ["i"], "build": ["b"]}, self.left())

    def test_in_use(self) -> None:
        """What a live job uses cannot be removed."""
        self.jobs.all = [Job("p", Operation.PUSH, "ec2", "i", "b", 1.0, target_image_id="t")]
        inventory = self.inventory
        self.refused(inventory.delete_image("i"), Conflict)
        self.refused(inventory.delete_build("b"), Conflict)
        self.refused(inventory.delete_target_image("t"), Conflict)
        self.refused(inventory.delete_provider_image("p", Removal(keep_on_provider=True)), Conflict)
        self.assertEqual(5, len(self.left()))

    def test_at_the_provider_first(self) -> None:
        """With credentials, it is removed there and here; what fails there stays here."""
        self.refused(self.inventory.delete_provider_image("p", Removal()), InvalidInput)
        self.cloud.failure = Unavailable("the cloud does not answer")
        self.refused(self.inventory.delete_provider_image("p", Removal(CREDENTIALS)), Unavailable)
        self.assertIn("provider_image", self.left())
        self.cloud.failure = None
        self.get(self.inventory.delete_provider_image("p", Removal(CREDENTIALS)))
        self.assertEqual(["ami-1"], self.cloud.removed)
        self.assertNotIn("provider_image", self.left())

    def test_a_provider_defined_in_place(self) -> None:
        """Its definition comes again with the request; another name, or another cloud, is another provider."""
        inventory = self.inventory
        defined = Provider("ec2-us-east-1", "ec2", {"password": "hush"})
        for wrong in (replace(defined, name="other"), replace(defined, target="rhevm")):
            self.refused(inventory.delete_provider_image("p", Removal(CREDENTIALS, wrong)), InvalidInput)
        self.assertEqual([], self.cloud.removed)
        self.get(inventory.delete_provider_image("p", Removal(CREDENTIALS, defined)))
        self.assertEqual((["ami-1"], [defined]), (self.cloud.removed, self.cloud.asked))

    def test_kept_at_the_provider(self) -> None:
        """Only the record goes; that is the way for clouds that cannot remove, too."""
        self.cloud.pushing = None
        self.refused(self.inventory.delete_provider_image("p", Removal(CREDENTIALS)), InvalidInput)
        self.get(self.inventory.delete_provider_image("p", Removal(keep_on_provider=True)))
        self.assertEqual([], self.cloud.removed)
        self.assertNotIn("provider_image", self.left())
