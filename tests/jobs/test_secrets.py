"""What the job service writes down of passwords: nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from imagefactory.jobs.interface import BuildRequest, DeleteRequest, ImportRequest, PushRequest, RetryAccess
from imagefactory.jobs.store.sqlite import open_store
from imagefactory.lib.errors import BuildFailed
from imagefactory.lib.secret import Secret
from imagefactory.model.credentials import Credentials, parse_credentials
from imagefactory.model.providers import parse_definition
from imagefactory.testing.job_store import ME
from imagefactory.testing.jobs import template
from imagefactory.testing.threads import ImmediateThreads
from tests.jobs.service_case import ServiceCase

ROOT, USER, CLOUD = "root-hush-1", "user-hush-2", "cloud-hush-3"
CREDENTIALS = f"""\
<provider_credentials>
  <mock_credentials><username>me</username><password>{USER}</password></mock_credentials>
</provider_credentials>
"""
PROVIDER = f'{{"name": "mock-9", "target": "mock", "password": "{CLOUD}"}}'


class SecretsTests(ServiceCase):
    """A service over a real file."""

    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp()) / "jobs.db"
        self.seen: list[LogEvent] = []
        globalLogPublisher.addObserver(self.seen.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.seen.append)
        self.store = self.get(open_store(self.path, ME, ImmediateThreads()))  # type: ignore[assignment]
        self.jobs = self.service(self.store)
        self.get(self.jobs.start(resume=True))

    def written(self) -> str:
        """All that is in the store's files, in the log, and in the log events themselves."""
        self.get(self.jobs.stop())
        self.get(self.store.close())  # type: ignore[attr-defined]
        files = b"".join(path.read_bytes() for path in self.path.parent.iterdir()).decode("latin-1")
        return files + "\n".join(f"{formatEvent(event)} {event!r}" for event in self.seen)

    def test_a_build_with_a_root_password(self) -> None:
        """One that ends well, and one that fails and is tried again."""
        plain = template()
        secret = replace(
            plain, os=replace(plain.os, root_password=Secret(ROOT)), source=plain.source + f"<!--{ROOT}-->".encode()
        )
        accepted = self.get(self.jobs.build(BuildRequest(secret, ("mock", "ec2"))))
        good, bad = (job.id for job in accepted.jobs)
        self.builder.running[good].finish()
        self.builder.running[bad].fail(BuildFailed("chpasswd failed"))
        self.get(self.jobs.retry(bad))
        self.builder.running[bad].fail(ZeroDivisionError("unexpected"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        shown = [repr(one) for one in (secret, BuildRequest(secret), *self.listed())]
        text = self.written() + "".join(shown)
        self.assertIn("chpasswd failed", text)
        self.assertNotIn(ROOT, text)

    def test_providers_defined_in_place(self) -> None:
        """Only their names are stored, of pushes and of imports, however little else is in the definition."""
        (id,) = self.build()
        self.builder.running[id].finish()
        bare = parse_definition(f'<!-- {CLOUD} --><provider name="mock-x" target="mock"/>')
        pushed = self.get(self.jobs.push(PushRequest(bare, target_image_id=id)))
        self.pusher.running[pushed.id].finish()
        defined = parse_definition(PROVIDER)
        request = ImportRequest("mock", defined, "some-id", b"<image><name>x</name></image>")
        imported = self.get(self.jobs.import_image(request))
        records = self.records.all_provider_images
        self.assertEqual(("mock-x", "mock-x"), (self.job(pushed.id).provider, records[pushed.id].provider))
        self.assertEqual("mock-9", records[imported.provider_image_id].provider)
        deletion = DeleteRequest(imported.provider_image_id, defined, Credentials("mock", {"password": Secret(CLOUD)}))
        job = self.get(self.jobs.delete(deletion))
        self.pusher.running[job.id].fail(BuildFailed("no"))
        self.get(self.jobs.retry(job.id, RetryAccess(defined, deletion.credentials)))
        self.assertNotIn(CLOUD, repr(deletion) + repr(self.pusher.deletions))
        self.assertNotIn(CLOUD, self.written() + repr((request, records)))

    def test_a_push_with_credentials(self) -> None:
        """Neither the account's password nor the provider's own."""
        (id,) = self.build()
        self.builder.running[id].finish()
        provider = parse_definition(PROVIDER)
        request = PushRequest(provider, credentials=parse_credentials(CREDENTIALS.encode(), {}), target_image_id=id)
        job = self.get(self.jobs.push(request))
        self.pusher.running[job.id].fail(BuildFailed("the cloud said no"))
        text = self.written() + repr(request) + repr(job)
        self.assertIn("the cloud said no", text)
        for secret in (USER, CLOUD):
            self.assertNotIn(secret, text)
