"""Pushing and importing with the command, against the clouds that need none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from imagefactory.model.records import Kind
from tests.functional.command import COMMAND, CommandCase
from tests.functional.tinyos import template

CREDENTIALS = """\
<provider_credentials>
  <mock_credentials><username>somebody</username><password>not to be seen</password></mock_credentials>
</provider_credentials>
"""


class PushTests(CommandCase):
    """Images go to providers."""

    def build(self, *targets: str) -> str:
        """The id of a new image."""
        words = [word for target in targets for word in ("--target", target)]
        tdl = self.file(template(size="96M"))
        document = self.command("--template", tdl, "--json", *words).document
        return str(document["image"])

    def test_output_that_is_not_read(self) -> None:
        """The work is done all the same, and the exit status tells how it ended."""
        tdl = self.file(template(size="96M"))
        argv = [*COMMAND, "--config", str(self.config), "--template", tdl, "--target", "mock"]
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([job["state"]["is"] for job in self.jobs()], ["completed"])

    async def test_mock(self) -> None:
        """Credentials as a file or as text; the record names identifier and account, and no output the password."""
        image = self.build("mock")
        credentials = self.file(CREDENTIALS, "creds.xml")
        done = self.command("--image", image, "--provider", "mock-1", "--credentials", credentials)
        self.assertRegex(done.out, f"^Pushing build [0-9a-f-]{{36}} of image {image} to provider mock-1\n")
        self.assertRegex(done.out, "(?m)^mock-1: COMPLETED provider image .*identifier Mock_mock-1_")
        self.assertNotIn("not to be seen", done.out + done.err)
        again = self.command(
            *("--image", image, "--provider", "mock-1", "--provider", "mock-2"),
            *("--credentials", CREDENTIALS, "--json"),
        ).document
        self.assertEqual([job["provider"] for job in again["jobs"]], ["mock-1", "mock-2"])
        job = again["jobs"][1]
        attributes = await self.attributes(Kind.PROVIDER_IMAGE, job["id"])
        self.assertEqual(attributes["provider"], "mock-2")
        self.assertEqual(attributes["target_identifier"], job["identifier"])
        self.assertEqual(attributes["provider_account_identifier"], "somebody")
        known = await self.attributes(Kind.IMAGE, image)
        self.assertEqual((known["latest_build"], "latest_unpushed" in known), (again["build"], False))
        pushed = [path.name for path in self.imgdir.rglob("*.yml")]
        self.assertEqual(len(pushed), 3)

    async def test_condorcloud(self) -> None:
        """The image appears with its domain."""
        storage = self.directory / "condor"
        (storage / "staging").mkdir(parents=True)
        self.configure(condorcloud_path=str(storage))
        image = self.build("condorcloud")
        job = self.command("--image", image, "--provider", "condorcloud", "--json").document["jobs"][0]
        self.assertEqual(job["status"], "COMPLETED")
        (domain,), (disk,) = storage.glob("*.xml"), storage.glob("*.img")
        self.assertIn(str(disk), domain.read_text())
        self.assertEqual(disk.read_bytes(), (await self.body(job["target_image_id"])).read_bytes())
        self.assertEqual([path.name for path in (storage / "staging").iterdir()], [])
        self.nothing_left()

    def test_what_cannot_be_pushed(self) -> None:
        """Unknown providers and images, missing credentials, a target without push: each says so."""
        image = self.build("mock", "rhevm")
        unknown = self.fails("--image", image, "--provider", "no-such-cloud", status=2)
        self.assertIn("no-such-cloud", unknown)
        self.fails(
            *("--image", image, "--provider", "mock-1", "--provider", "condorcloud", "--credentials", CREDENTIALS),
            status=2,
        )
        self.assertEqual([job["operation"] for job in self.jobs()], ["build", "build"])  # not even to mock-1
        unnamed = self.fails("--image", image, "--provider", "mock-1", status=2)
        self.assertIn("mock_credentials/username", unnamed)
        missing = self.fails("--image", image, "--provider", "mock-1", "--credentials", "/no/such/file", status=2)
        self.assertIn("--credentials: cannot read the file named there: No such file", missing)
        lost = "00000000-0000-4000-8000-000000000000"
        self.assertIn(lost, self.fails("--image", lost, "--provider", "mock-1", "--credentials", CREDENTIALS, status=2))
        rhevm = '{"name": "r", "target": "rhevm"}'
        said = self.fails("--image", image, "--provider", rhevm, "--credentials", CREDENTIALS, status=2)
        self.assertIn("rhevm", said)


class ImportTests(CommandCase):
    """Images that a provider has already."""

    async def test_an_import(self) -> None:
        """Its identifier is kept; a second one into the same image is its newest build."""
        words = ("--target", "mock", "--provider", "mock-1", "--target-image", "my-id")
        done = self.command(*words, "--image-desc", "<image><name>x</name></image>")
        self.assertRegex(done.out, "^Imported target image ID my-id as image [0-9a-f-]{36}\n$")
        image = done.out.split()[-1]
        again = self.command(*words, "--image", image, "--json").document
        self.assertEqual(again["image"], image)
        attributes = await self.attributes(Kind.PROVIDER_IMAGE, again["provider_image"])
        self.assertEqual((attributes["target_identifier"], attributes["provider"]), ("my-id", "mock-1"))
        self.assertEqual((await self.attributes(Kind.IMAGE, image))["latest_build"], again["build"])
        found = await self.records(lambda records: records.image(image))
        assert found is not None
        self.assertEqual(found.descriptor, b"<image><name>x</name></image>")
        self.nothing_left()

    def test_what_cannot_be_imported(self) -> None:
        """One target, one provider, a descriptor that is one."""
        said = self.fails("--target-image", "x", "--target", "mock", status=2)
        self.assertIn("Expect a single provider, but 'none' supplied", said)
        words = ("--target", "mock", "--provider", "mock-1", "--target-image", "my-id")
        self.assertIn("descriptor", self.fails(*words, "--image-desc", "<nothing", status=2))
        self.assertFalse(Path(self.state / "images").exists())
