"""Arguments that are text or the path of a file."""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.cli.local import read_credentials
from imagefactory.lib.errors import InvalidInput
from imagefactory.model.credentials import Credentials, parse_credentials

XML = (
    "<provider_credentials><mock_credentials><username>me</username><password>hidden</password>"
    "</mock_credentials></provider_credentials>"
)


def parse(document: bytes) -> Credentials:
    """Credentials without other spellings."""
    return parse_credentials(document, {})


class CredentialsTests(SynchronousTestCase):
    """--credentials."""

    def test_text_is_read(self) -> None:
        """With blank lines, a byte order mark or a declaration in front, too."""
        for text in (XML, f"\n  {XML}", f"\ufeff{XML}", f'\ufeff<?xml version="1.0"?>\n{XML}'):
            found = read_credentials(text, parse)
            assert found is not None
            self.assertEqual(found.fields["username"].reveal(), "me")

    def test_a_file_is_read(self) -> None:
        """By its path, and with a byte order mark in it."""
        path = Path(self.mktemp())
        path.write_text(f"\ufeff{XML}")
        found = read_credentials(str(path), parse)
        assert found is not None
        self.assertEqual(found.kind, "mock_credentials")

    def test_errors_never_repeat_what_was_given(self) -> None:
        """Text that is not quite XML may hold a password; the option is named instead."""
        for text in (f"x{XML}", f"password: hidden\n{XML}", "hidden", "hidden" * 1000, "hid\0den", f"\u200b{XML}"):
            error = self.assertRaises(InvalidInput, read_credentials, text, parse)
            self.assertNotIn("hid", f"{error} {error.hint} {error.where}")
        self.assertEqual(self.assertRaises(InvalidInput, read_credentials, "hidden", parse).where, "--credentials")

    def test_a_path_that_cannot_be_read(self) -> None:
        """Says why, and what may be given."""
        error = self.assertRaises(InvalidInput, read_credentials, tempfile.gettempdir(), parse)
        self.assertIn("Is a directory", error.message)
        self.assertIn("XML itself", error.hint)
