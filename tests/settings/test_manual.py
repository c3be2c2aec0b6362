"""Help, manual and sample, made from the table."""

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory import __version__
from imagefactory.settings import load
from imagefactory.settings.loading import load_with_sources
from imagefactory.settings.manual import WIDTH, early_answer, explain, help_text, keys_roff, options_roff, sample
from imagefactory.settings.option_list import OPTIONS

#: Every option of the manual page of version 1.0.
DOCUMENTED = """
--help --version --verbose --debug --foreground --config --imgdir --timeout --tmpdir --rest --port --address --no_ssl
--ssl_pem --no_oauth --target --template --image --provider --credentials --ec2-32bit-util --ec2-64bit-util --warehouse
--image_bucket --build_bucket --target_bucket --template_bucket --icicle_bucket --provider_bucket --target-image
--image-desc
"""
#: Every key of the configuration file of version 1.0.
DOCUMENTED_KEYS = """
debug verbose foreground rest no_ssl no_oauth port address ssl_pem imgdir tmpdir timeout clients warehouse
warehouse_key warehouse_secret image_bucket build_bucket target_bucket template_bucket icicle_bucket provider_bucket
ec2_build_style ec2_ami_type ec2-32bit-util ec2-64bit-util max_concurrent_local_sessions max_concurrent_ec2_sessions
rhevm_image_format proxy_ami_id
"""


class HelpTests(SynchronousTestCase):
    """What a run that only asks gets."""

    def test_all_options(self) -> None:
        """Those of version 1.0 and all of the table, within the width."""
        words = help_text().replace(",", " ").split()
        flags = [declared.option.flag for declared in OPTIONS if declared.option.flag]
        self.assertEqual([flag for flag in (*DOCUMENTED.split(), *flags) if flag not in words], [])
        self.assertEqual([line for line in help_text().splitlines() if len(line) > WIDTH], [])

    def test_all_keys(self) -> None:
        """Old files are understood."""
        keys = {declared.option.key for declared in OPTIONS}
        self.assertEqual([key for key in DOCUMENTED_KEYS.split() if key not in keys], [])

    def test_early_answers(self) -> None:
        """No arguments and `--help` get the help, `--version` the real version, all else nothing."""
        for argv in ([], ["-h"], ["--rest", "--help"]):
            self.assertEqual(early_answer(argv), help_text())
        self.assertEqual(early_answer(["--version"]), f"imagefactory {__version__}\n")
        self.assertIsNone(early_answer(["--rest"]))


class PageTests(SynchronousTestCase):
    """Sections of the manual pages."""

    def test_pages_have_everything(self) -> None:
        """Options in the one, keys in the other, dashes as people type them."""
        options, keys = options_roff(), keys_roff()
        for declared in OPTIONS:
            if declared.option.flag:
                self.assertIn(f"{declared.option.flag}".replace("-", "\\-"), options)
            if declared.option.key:
                self.assertIn(f"\\fB{declared.option.key}\\fR (".replace("-", "\\-"), keys)

    def test_no_text_is_taken_for_a_request(self) -> None:
        """Lines that begin with a dot are ours."""
        for line in (options_roff() + keys_roff()).splitlines():
            if line.startswith((".", "'")):
                self.assertIn(line.split()[0], (".TP", ".SS"))

    def test_sample_is_accepted(self) -> None:
        """And is what would count without it, but for the state directory of the system."""
        json.loads(sample())
        with_it = load([], environ={}, uid=0, read=lambda _: sample().encode())
        without = load([], environ={}, uid=0, read=lambda _: b"{}")
        self.assertEqual(with_it, without)

    def test_explain(self) -> None:
        """Value and source of each; what may hold a secret is not shown."""
        text = explain(
            load_with_sources(
                ["--port=1", "--credentials=<s3cret/>", "--target=a"],
                environ={},
                uid=0,
                read=lambda _: b'{"clients": {"k": "s3cret"}, "warehouse_secret": "s3cret"}',
                cwd=Path("/"),
            )
        )
        self.assertIn("port = 1  (command line)\n", text)
        self.assertIn('target = ["a"]  (command line)\n', text)
        self.assertIn("clients = <not shown>  (/etc/imagefactory/imagefactory.conf)\n", text)
        self.assertNotIn("s3cret", text)
