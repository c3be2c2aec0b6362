"""What a run prints at its end."""

import json
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.cli.results import NONE, Details, error_document, error_text, result_line, run_document, size_text
from imagefactory.lib.errors import InvalidInput, Problem
from imagefactory.model.jobs import Completed, Failed, Failure, Job, Operation

DONE = Job(
    "id-1", Operation.BUILD, "rhevm", "image-1", "build-1", 0.0,
    state=Completed(size=3 << 20), started=10.0, ended=51.26, percent=100,
)  # fmt: skip
BROKEN = replace(DONE, state=Failed(Failure("mkfs.ext4 ended with exit status 1", hint="give the disk more room")))


class ResultLineTests(SynchronousTestCase):
    """A line per job."""

    def test_success_has_ids_size_and_time(self) -> None:
        """Everything that is needed to go on stands in the line."""
        self.assertEqual(result_line(DONE), "rhevm: COMPLETED target image id-1 of build build-1, 3.0 MiB, 41.3 s")

    def test_success_says_where_the_image_is_and_that_it_boots(self) -> None:
        """What one does next is look at the file."""
        details = Details("/srv/blobs/1", {"boot_check": "passed", "boot_seconds": "15.5", "boot_ssh": "SSH-2.0-x"})
        self.assertTrue(result_line(DONE, details).endswith("41.3 s, boots in 15.5 s, ssh answers\n  /srv/blobs/1"))
        self.assertEqual(json.loads(run_document([(DONE, details)]))["jobs"][0]["place"], "/srv/blobs/1")

    def test_failure_has_reason_and_hint(self) -> None:
        """What happened, and what to do."""
        self.assertEqual(
            result_line(BROKEN),
            "rhevm: FAILED id-1: mkfs.ext4 ended with exit status 1\n  hint: give the disk more room\n"
            "  log: imagefactory --log id-1",
        )

    def test_a_failure_does_nothing_to_the_terminal(self) -> None:
        """What a program printed is shown, not obeyed."""
        broken = replace(BROKEN, state=Failed(Failure("command x\n  | \x1b]0;title\x07\rgone")))
        self.assertIn("command x\n  | \\x1b]0;title\\x07\\rgone", result_line(broken))

    def test_a_push_names_the_provider_and_its_identifier(self) -> None:
        """The cloud's name of the image is what a user needs next."""
        push = replace(DONE, operation=Operation.PUSH, provider="mock-1", state=Completed(identifier="Mock_mock-1_x"))
        self.assertIn("mock-1: COMPLETED provider image id-1", result_line(push))
        self.assertIn("identifier Mock_mock-1_x", result_line(push))


class DocumentTests(SynchronousTestCase):
    """--json."""

    def test_the_run_document_is_json_with_all_jobs(self) -> None:
        """Programs find states, ids and errors in it."""
        document = json.loads(run_document([(DONE, NONE), (BROKEN, NONE)]))
        self.assertEqual([job["status"] for job in document["jobs"]], ["COMPLETED", "FAILED"])
        self.assertEqual(document["jobs"][0]["size"], 3 << 20)
        self.assertEqual([job["target_image_id"] for job in document["jobs"]], ["id-1", None])
        self.assertEqual(document["jobs"][1]["error"]["hint"], "give the disk more room")

    def test_errors_list_all_problems(self) -> None:
        """A refused template or configuration tells everything at once, to people and to programs."""
        error = InvalidInput("the template is not valid", problems=[Problem("line 3", "no <name>")], hint="see tdl(5)")
        self.assertEqual(json.loads(error_document(error))["error"]["problems"], ["line 3: no <name>"])
        self.assertEqual(
            error_text(error), "imagefactory: the template is not valid\n  line 3: no <name>\n  hint: see tdl(5)"
        )


class SizeTests(SynchronousTestCase):
    """Bytes for people."""

    def test_units(self) -> None:
        """Binary units, bytes without a fraction."""
        cases = {None: "", 0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 10 << 30: "10.0 GiB", 3 << 50: "3072.0 TiB"}
        self.assertEqual({size: size_text(size) for size in cases}, cases)
