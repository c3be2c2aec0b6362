"""One daemon per state directory."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict, InvalidInput
from imagefactory.service.instance import Instance


class InstanceTests(SynchronousTestCase):
    """The claim on a state directory."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())

    def test_a_second_claim_names_the_first(self) -> None:
        """Who is refused learns which process to look at."""
        first = Instance(self.directory)
        first.claim()
        self.addCleanup(first.release)
        error = self.assertRaises(Conflict, Instance(self.directory).claim)
        self.assertIn(str(os.getpid()), error.message)

    def test_a_released_directory_can_be_claimed(self) -> None:
        """The end of one daemon is the chance of the next."""
        first, second = Instance(self.directory), Instance(self.directory)
        first.claim()
        first.release()
        second.claim()
        self.addCleanup(second.release)

    def test_a_directory_that_cannot_be_made_is_an_error_with_a_way_out(self) -> None:
        """The error names the directory and the option."""
        self.directory.write_text("a file")
        error = self.assertRaises(InvalidInput, Instance(self.directory / "state").claim)
        self.assertIn("--state_dir", error.hint)
        error = self.assertRaises(InvalidInput, Instance(self.directory / "warehouse", option="--path").claim)
        self.assertEqual(
            (error.where, "--path" in error.hint, "Not a directory" in error.message),
            (str(self.directory / "warehouse"), True, True),
        )

    def test_a_directory_of_our_own(self) -> None:
        """One that is made is for whom it is said to be."""
        first = Instance(self.directory / "state", mode=0o700)
        first.claim()
        self.addCleanup(first.release)
        self.assertEqual((self.directory / "state").stat().st_mode & 0o777, 0o700)
